"""An application between two layers of wsgiref.validate, which raise for each deviation from PEP 3333."""

from wsgiref.validate import validator


def echo(environ, start_response):
    f = environ["wsgi.input"]
    if environ["REQUEST_METHOD"] == "GET":
        body = []
    elif len(environ["QUERY_STRING"]) % 2:
        body = list(iter(lambda: f.read(1000), b""))
    else:
        body = list(f)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (chunk for chunk in body)


application = validator(echo)
