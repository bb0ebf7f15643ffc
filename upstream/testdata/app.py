import time


def read(environ, start_response):
    """How much of the body arrived, and what of the variables."""
    size, step = 0, 65536
    while chunk := environ["wsgi.input"].read(step):
        size += len(chunk)
    body = "|".join([str(size), environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], environ["HTTP_HOST"]])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]


def unread(environ, start_response):
    start_response("403 Forbidden", [("Content-Length", "2")])
    return [b"no"]


def large(environ, start_response):
    start_response("200 OK", [])
    return (b"x" * 100000 for _ in range(50))


def sse(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for i in range(3):
        yield b"data: %d\n\n" % i


def slow(environ, start_response):
    time.sleep(60)
    start_response("200 OK", [])
    return [b"late"]


def fails(environ, start_response):
    raise RuntimeError("on purpose")


def cookies(environ, start_response):
    start_response("302 Found", [("Location", "/x"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [environ.get("HTTP_COOKIE", "").encode()]


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
