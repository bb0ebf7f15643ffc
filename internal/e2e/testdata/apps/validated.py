"""An application wrapped by wsgiref.validate: any breach of PEP 3333, by it or by the server, is a 500."""

from wsgiref.validate import validator


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.errors"].flush()
    if environ["PATH_INFO"] == "/sized":
        answer = b"%d" % len(body)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
        return [answer]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (piece for piece in (b"got ", b"%d" % len(body)))


app = validator(application)
