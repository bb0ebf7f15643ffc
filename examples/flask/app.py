"""The example Flask site. hognose mounts it at /flask/ (script_name = "/flask")."""

import hashlib
import os
import threading

from flask import Flask, jsonify, request, url_for

app = Flask(__name__)

FACTS = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REQUEST_URI",
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "wsgi.url_scheme",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
)


@app.get("/")
def index():
    links = "".join(
        f'<li><a href="{url_for(name)}">{name}</a></li>' for name in ("echo", "stream", "error")
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Flask</title>"
        f"<h1>Flask</h1><p>Mounted at <code>{request.script_root or '/'}</code>.</p><ul>{links}</ul>"
        f'<form method=post action="{url_for("upload")}" enctype=multipart/form-data>'
        "<input type=file name=file><button>Upload</button></form>"
    )


@app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def echo():
    """What the server told the application about this request."""
    return jsonify(
        environ={name: request.environ.get(name) for name in FACTS},
        headers=dict(request.headers),
        body=request.get_data(as_text=True),
        pid=os.getpid(),
        thread=threading.get_ident(),
    )


@app.post("/upload")
def upload():
    """Size and SHA-256 of each uploaded file, or of the plain body."""
    files = list(request.files.values())
    if files:
        return jsonify({file.filename: digest(file.stream) for file in files})
    return jsonify(body=digest(request.stream))


def digest(stream):
    sha, size = hashlib.sha256(), 0
    while True:
        block = stream.read(64 * 1024)
        if not block:
            return {"bytes": size, "sha256": sha.hexdigest()}
        sha.update(block)
        size += len(block)


@app.get("/stream")
def stream():
    """Lines of a generator; ?n= says how many."""
    count = request.args.get("n", 5, type=int)
    return app.response_class((f"line {i}\n" for i in range(1, count + 1)), mimetype="text/plain")


@app.get("/error")
def error():
    raise RuntimeError("this page always fails")
