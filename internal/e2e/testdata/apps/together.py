"""Shows how many requests an application runs at the same time."""

import json
import os
import threading

import sign

meeting = threading.Barrier(2)
busy = threading.Semaphore(1)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    facts = {
        "multithread": environ["wsgi.multithread"],
        "multiprocess": environ["wsgi.multiprocess"],
        "run_once": environ["wsgi.run_once"],
        "pid": os.getpid(),
        "thread": threading.get_ident(),
    }
    if path == "/threads":
        # Passes only when two threads of this process are here at once.
        meeting.wait(sign.PATIENCE)
    elif path == "/processes":
        # Passes only when another request runs somewhere, too.
        mine, other = environ["QUERY_STRING"].split(",")
        sign.give(mine)
        sign.wait(other)
    elif path == "/alone":
        # Fails when a second thread of this process comes in.
        facts["alone"] = busy.acquire(blocking=False)
        for _ in range(20000):
            pass
        if facts["alone"]:
            busy.release()
    body = json.dumps(facts).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
