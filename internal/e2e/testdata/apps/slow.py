"""Requests that stay in a worker until the test lets them go, and bodies of any size."""

import hashlib
import os

import sign

PLAIN = [("Content-Type", "text/plain")]
BLOCK = bytes(range(256)) * 256


def held(environ, start_response):
    """Tells the worker's pid, then waits. ?NAME names the sign to go on."""
    name = environ["QUERY_STRING"]
    sign.append("held-" + name, str(os.getpid()))
    sign.wait(name)
    body = b"%d" % os.getpid()
    start_response("200 OK", PLAIN + [("Content-Length", str(len(body)))])
    return [body]


def begun(environ, start_response):
    """Like held, but the response has begun when it waits."""
    name = environ["QUERY_STRING"]
    start_response("200 OK", PLAIN)
    yield b"begun "
    sign.append("held-" + name, str(os.getpid()))
    sign.wait(name)
    yield b"ended"


def download(environ, start_response):
    """?N bytes in blocks of 64 KiB."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN + [("Content-Length", str(size))])
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def upload(environ, start_response):
    stream, digest, size = environ["wsgi.input"], hashlib.sha256(), 0
    while True:
        block = stream.read(65536)
        if not block:
            break
        digest.update(block)
        size += len(block)
    body = ("%d %s" % (size, digest.hexdigest())).encode()
    start_response("200 OK", PLAIN + [("Content-Length", str(len(body)))])
    return [body]


def pid(environ, start_response):
    body = b"%d" % os.getpid()
    start_response("200 OK", PLAIN + [("Content-Length", str(len(body)))])
    return [body]


def crash(environ, start_response):
    os.kill(os.getpid(), 9)


PAGES = {
    "/held": held,
    "/begun": begun,
    "/download": download,
    "/upload": upload,
    "/pid": pid,
    "/crash": crash,
}


def app(environ, start_response):
    return PAGES[environ["PATH_INFO"]](environ, start_response)
