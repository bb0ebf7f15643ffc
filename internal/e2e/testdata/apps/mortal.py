"""An application whose workers die at birth while there is a sign "die"."""

import os

import sign


def born():
    if sign.given("die"):
        os._exit(1)


os.register_at_fork(after_in_child=born)


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive"]
