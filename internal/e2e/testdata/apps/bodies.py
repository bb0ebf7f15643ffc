"""Reads wsgi.input in the way that the path names, and tells what it got."""

import hashlib
import io
import json


def pieces_of(stream, environ):
    how, _, size = environ["PATH_INFO"].lstrip("/").partition("/")
    size = int(size or 0)
    if how == "read":
        return [stream.read()]
    if how == "read-none":
        return [stream.read(None)]
    if how == "read-minus":
        return [stream.read(-1)]
    if how == "read-zero":
        return [stream.read(0), stream.read()]
    if how == "read-size":
        return list(iter(lambda: stream.read(size), b""))
    if how == "readline":
        return list(iter(stream.readline, b""))
    if how == "readline-size":
        return list(iter(lambda: stream.readline(size), b""))
    if how == "readlines":
        return stream.readlines()
    if how == "readlines-hint":
        return list(stream.readlines(size)) + [stream.read()]
    if how == "iterate":
        return list(stream)
    if how == "mixed":
        return [stream.read(10), stream.readline(), stream.read(7), *stream.readlines()]
    if how == "for-then-read":
        for line in stream:
            return [line, stream.read()]
        return []
    if how == "nothing":
        return []
    if how == "part":
        return [stream.read(size)]
    raise ValueError(how)


def app(environ, start_response):
    stream = environ["wsgi.input"]
    pieces = pieces_of(stream, environ)
    types = sorted({type(piece).__name__ for piece in pieces})
    whole = b"".join(pieces)
    # What the same calls on an ordinary binary file give. PEP 3333 lets a server ignore the hint of readlines().
    hinted = environ["PATH_INFO"].startswith("/readlines-hint")
    wanted = pieces if hinted else pieces_of(io.BytesIO(whole), environ)
    at_end = environ["PATH_INFO"].startswith(("/nothing", "/part")) or stream.read(1) == b""
    body = json.dumps(
        {
            "sha256": hashlib.sha256(whole).hexdigest(),
            "bytes": len(whole),
            "pieces": len(pieces),
            "types": types,
            "as_a_file": pieces == wanted,
            "at_end": at_end,
            "content_length": environ.get("CONTENT_LENGTH"),
        }
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
