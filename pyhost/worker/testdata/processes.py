"""An application for the tests of processes, threads and streams."""

import atexit
import gc
import os
import random
import signal
import sys
import threading
import time

PLAIN = [("Content-Type", "text/plain")]
barrier = threading.Barrier(int(os.environ.get("PARTIES", "1")))
closed = 0
forks = []
os.register_at_fork(after_in_child=lambda: forks.append(os.getpid()))

atexit.register(lambda: sys.stderr.write("atexit ran in %s\n" % threading.current_thread().name))


def application(environ, start_response):
    return globals()[environ["PATH_INFO"][1:]](environ, start_response)


def hello(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"hello"]


def pid(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"%d" % os.getpid()]


def birth(environ, start_response):
    """Tells what a fork must see to."""
    start_response("200 OK", PLAIN)
    return [("%r %r %r" % (forks == [os.getpid()], gc.get_freeze_count() > 1000, random.random())).encode()]


class SlowClose:
    def __iter__(self):
        return iter([b"done"])

    def close(self):
        sys.stderr.write("closing\n")
        gate()


def slow_close(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return SlowClose()


def meet(environ, start_response):
    """Answers when as many threads as PARTIES have come here."""
    barrier.wait(30)
    start_response("200 OK", PLAIN)
    t = threading.current_thread()
    return [("%s %s" % (t.name, environ["wsgi.multithread"])).encode()]


def gate():
    """Waits for the file that GATE names."""
    while not os.path.exists(os.environ["GATE"]):
        time.sleep(0.002)


def wait(environ, start_response):
    """Answers when the gate is open."""
    sys.stderr.write("waiting\n")
    gate()
    start_response("200 OK", PLAIN)
    return [b"waited"]


def endless(environ, start_response):
    start_response("200 OK", PLAIN)
    return Endless()


class Endless:
    def __iter__(self):
        return self

    def __next__(self):
        return b"x" * 10000

    def close(self):
        global closed
        closed += 1


def endless_write(environ, start_response):
    global closed
    w = start_response("200 OK", PLAIN)
    try:
        while True:
            w(b"x" * 10000)
    except ConnectionError:
        closed += 1
        raise


def closes(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"%d" % closed]


def stream(environ, start_response):
    start_response("200 OK", PLAIN)
    return (b"%05d" % i * 20000 for i in range(20))


def note_signal(number, frame):
    os.write(2, b"handler ran\n")  # not sys.stderr, which the handler may have interrupted


def fail_on_signal(number, frame):
    raise ValueError("in a handler")


def leave_on_signal(number, frame):
    sys.exit(5)


signal.signal(signal.SIGUSR1, note_signal)
signal.signal(signal.SIGUSR2, fail_on_signal)


def handle(environ, start_response):
    signal.signal(signal.SIGTERM, leave_on_signal)
    return hello(environ, start_response)


def signals(environ, start_response):
    """Tells what an external program starts with."""
    import subprocess

    out = subprocess.check_output(["/bin/sh", "-c", "trap; ls /proc/$$/fd; grep SigIgn /proc/$$/status"])
    start_response("200 OK", PLAIN)
    return [out]


def sleep(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return hello(environ, start_response)


def die(environ, start_response):
    os.kill(os.getpid(), signal.SIGKILL)


def spin(environ, start_response):
    """Keeps the GIL busy for ever."""
    while True:
        pass
