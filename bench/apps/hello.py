"""The least a WSGI application can do, and bodies of given sizes.

/        14 bytes of text
/10k     10 KiB
/1m      1 MiB
/upload  reads the request body, answers how many bytes it had
/sleep   waits half a second, as for a slow database
"""

import time

TEXT = [("Content-Type", "text/plain; charset=utf-8")]
BODIES = {
    "/": b"Hello, World!\n",
    "/10k": b"x" * (10 << 10),
    "/1m": b"x" * (1 << 20),
}
CHUNK = 64 << 10


def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = BODIES.get(path)
    status = "200 OK"
    if body is None:
        if path == "/upload":
            body = count(environ)
        elif path == "/sleep":
            time.sleep(0.5)
            body = b"slept\n"
        else:
            status, body = "404 Not Found", b"no such path\n"
    start_response(status, TEXT + [("Content-Length", str(len(body)))])
    return [body]


def count(environ):
    """Read the body to its end and return its length as text."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    read = 0
    while left > read:
        chunk = environ["wsgi.input"].read(min(CHUNK, left - read))
        if not chunk:
            break
        read += len(chunk)
    return b"%d\n" % read
