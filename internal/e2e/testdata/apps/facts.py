"""Tells what an application is given: the environ, and the process it runs in."""

import json
import os
import sys
import threading


def described(value):
    if type(value) is str:
        return value
    if type(value) in (bool, int) or value is None:
        return value
    if type(value) is tuple:
        return list(value)
    return "<%s>" % ("callable" if callable(value) else "object")


def app(environ, start_response):
    kind = type(environ)
    facts = {
        "environ": {key: described(value) for key, value in environ.items()},
        "environ_is_dict": kind is dict,
        "native_strings": all(type(key) is str for key in environ),
        "process": {
            "pid": os.getpid(),
            "thread": threading.get_ident(),
            "user": os.getuid(),
            "group": os.getgid(),
            "groups": os.getgroups(),
            "umask": umask(),
            "cwd": os.getcwd(),
            "version": "%d.%d.%d" % sys.version_info[:3],
            "executable": sys.executable,
            "prefix": sys.prefix,
            "base_prefix": sys.base_prefix,
            "path": sys.path,
            "argv": sys.argv,
            "env": dict(os.environ),
            "descriptors": sorted(open_descriptors()),
        },
    }
    body = json.dumps(facts).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def open_descriptors():
    return [int(name) for name in os.listdir("/proc/self/fd")]
