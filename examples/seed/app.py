from flask import Flask, request, url_for

app = Flask(__name__)


@app.route("/")
def index():
    style = url_for("static", filename="style.css")
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Seed</title>"
        f'<link rel=stylesheet href="{style}"><h1>It works</h1>'
        f"<p>{request.environ.get('SITE_NAME', 'a site')} "
        f"for {request.remote_addr} over {request.scheme}</p>"
    )
