"""An application that does what real ones do beside answering: forks, subprocesses, threads, files, exit handlers."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading

import sign

PLAIN = [("Content-Type", "text/plain")]


def at_exit():
    sign.append("exited", str(os.getpid()))


atexit.register(at_exit)


def run_subprocess(environ):
    return subprocess.run(["echo", "from a subprocess"], stdout=subprocess.PIPE, check=True).stdout.strip()


def fork_child(environ):
    """The child leaves in the worst way: by an exception through the server's frames."""
    pid = os.fork()
    if pid == 0:
        sign.append("forked", str(os.getpid()))
        raise SystemExit(7)
    _, status = os.waitpid(pid, 0)
    return b"child ended with %d" % (status >> 8)


def fork_and_leave(environ):
    """The child outlives the request. It must not take requests that are meant for the worker."""
    pid = os.fork()
    if pid == 0:
        sign.wait("child-may-go")
        os._exit(0)
    return b"forked"


def descriptors(environ):
    return b"%d" % len(os.listdir("/proc/self/fd"))


def children_of_a_pool(environ):
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return json.dumps(pool.map(square, range(5))).encode()


def square(n):
    return n * n


def thread(environ):
    result = []
    worker = threading.Thread(target=lambda: result.append(b"from a thread"))
    worker.start()
    worker.join()
    return result[0]


def temporary_file(environ):
    file = tempfile.TemporaryFile()
    file.write(b"temporary")
    file.seek(0)
    return environ["wsgi.file_wrapper"](file)


def recursion(environ):
    return recursion(environ)


def close_streams(environ):
    """Daemonising libraries do so; the next exception has to go somewhere all the same."""
    sys.stderr.flush()
    sys.stderr = sys.stdout = None
    raise RuntimeError("without standard streams")


PAGES = {
    "/subprocess": run_subprocess,
    "/fork-child": fork_child,
    "/fork-and-leave": fork_and_leave,
    "/descriptors": descriptors,
    "/pool": children_of_a_pool,
    "/thread": thread,
    "/temporary-file": temporary_file,
    "/recursion": recursion,
    "/close-streams": close_streams,
    "/pid": lambda environ: b"%d" % os.getpid(),
}


def app(environ, start_response):
    environ["wsgi.input"].read()
    body = PAGES[environ["PATH_INFO"]](environ)
    start_response("200 OK", PLAIN)
    return [body] if isinstance(body, bytes) else body
