"""Imports the application in the zygote, and serves it in the workers.

The C side (pyhost/worker) runs main() of this module in a fresh interpreter. It works on every
CPython from 3.8 on and imports only what it needs: all of it becomes part of
each worker.
"""

import gc
import importlib
import io
import json
import linecache
import os
import signal
import stat
import sys
import threading
import traceback

import _hognose

# Exit code of a zygote whose application cannot be imported.
EXIT_IMPORT = 3


def main():
    prepare_interpreter()
    config = json.loads(_hognose.settings)
    try:
        application = load(config)
    except BaseException as error:  # SystemExit too: a zygote never ends by what the application does
        give_up(config, error)
    warn_about_threads()
    flush()
    gc.collect()
    gc.freeze()
    _hognose.imported()
    number = _hognose.zygote()
    if number < 0:
        flush()
        os._exit(0)  # no atexit: what the application registered is for its workers
    work(application, number)


# ---- the interpreter ----------------------------------------------------------


def prepare_interpreter():
    source = _hognose.source
    linecache.cache[_hognose.source_name] = (len(source), None, source.splitlines(True), _hognose.source_name)
    # Started with -c, which puts the current directory in front; load() says what belongs there.
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    sys.argv[:] = ["hognose"]
    # Lines reach the log when they are complete, also before Python 3.9.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True)
    # What a terminal sends to the whole process group is for the master. Python functions, not SIG_IGN, which
    # subprocesses would inherit.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, ignore_signal)
        signal.siginterrupt(number, False)


def ignore_signal(number, frame):
    """Does nothing; the application may install its own handler."""


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def warn_about_threads():
    others = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    if others:
        log(
            "the application has started threads while it was imported, which do not exist in its workers: "
            + ", ".join(others)
        )


def log(text):
    sys.stderr.write("hognose: app %s: %s\n" % (_hognose.app, text))


# ---- the application ------------------------------------------------------------


def load(config):
    """Returns the application that the settings name."""
    if config.get("umask") is not None:
        os.umask(config["umask"])
    if config.get("chdir"):
        os.chdir(config["chdir"])
    sys.path[:0] = [os.getcwd()] + [os.path.abspath(p) for p in config.get("pythonpath") or ()]
    name = config.get("callable")
    if config.get("wsgi_file"):
        namespace = run_file(config["wsgi_file"])
    else:
        module, colon, attribute = config["module"].partition(":")
        namespace = importlib.import_module(module)
        name = name or attribute
    return find_callable(namespace, name or "application")


def run_file(path):
    """Runs a file that may have any name, like "site.wsgi", as a module of its own."""
    import importlib.util
    from importlib.machinery import SourceFileLoader

    path = os.path.abspath(path)
    stem = os.path.splitext(os.path.basename(path))[0]
    name = "wsgi_file_" + "".join(c if c.isalnum() else "_" for c in stem)
    loader = SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def find_callable(namespace, expression):
    """Returns namespace.NAME, .NAME.NAME, or what the call .NAME(literals...) returns."""
    import ast

    try:
        node = ast.parse(expression.strip(), mode="eval").body
        args, keywords = [], {}
        call = isinstance(node, ast.Call)
        if call:
            args = [ast.literal_eval(a) for a in node.args]
            keywords = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
            node = node.func
        names = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        names.insert(0, node.id)
    except (SyntaxError, ValueError, AttributeError):
        raise ValueError("callable %r is neither a name nor a call with literals" % expression) from None
    found = namespace
    for name in names:
        found = getattr(found, name)
    if call:
        found = found(*args, **keywords)
    if not callable(found):
        raise TypeError("%r is not callable: it is %r" % (expression, type(found)))
    return found


def give_up(config, error):
    what = config.get("wsgi_file") or config.get("module") or ""
    if config.get("callable"):
        what += ":" + config["callable"]
    reason = (str(error).splitlines() or [""])[0]
    text = "app %r: cannot load %r: %s: %s" % (_hognose.app, what, type(error).__name__, reason)
    sys.stderr.write("hognose: %s\n%s" % (text, format_exception(type(error), error, error.__traceback__)))
    flush()
    _hognose.failed(text)
    os._exit(EXIT_IMPORT)


# ---- the worker -------------------------------------------------------------------


def work(application, number):
    def report(*args):
        report_exception(number, *args)

    n = _hognose.worker(application, FileWrapper, file_region, open_body, report)
    os.register_at_fork(after_in_child=leave_tree)
    threads = [
        threading.Thread(target=_hognose.serve, args=(i,), name="hognose-%d" % i, daemon=True) for i in range(1, n)
    ]
    for t in threads:
        t.start()
    try:
        _hognose.serve(0)
    finally:
        for t in threads:
            t.join()


def leave_tree():
    """In a child that the application forked: it is no worker, and signals end it as they end any process."""
    _hognose.forget()
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        # A thread of the application may fork, and its child's only thread is the main one then.
        if signal.getsignal(number) is ignore_signal:
            signal.signal(number, handler)


def report_exception(number, kind, error, tb, what, method, uri, request_id):
    """Logs an exception of the application in one piece."""
    method, uri = ascii(method)[1:-1], ascii(uri)[1:-1]
    head = "hognose: app %s worker %d: %s: %s %s (request %d)\n" % (
        _hognose.app, number + 1, what, method, uri, request_id)
    sys.stderr.write(head + format_exception(kind, error, tb))


def format_exception(kind, error, tb):
    """The traceback without the frames that lead to the application's code."""
    while tb is not None and is_ours(tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    return "".join(traceback.format_exception(kind, error, tb))


def is_ours(filename):
    return filename == _hognose.source_name or filename.startswith("<frozen importlib") or filename == importlib.__file__




class FileWrapper:
    """wsgi.file_wrapper (PEP 3333). Returned over a regular file, the front sends the file itself."""

    def __init__(self, filelike, blksize=65536):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration


# Classes that hand everything to the file in their attribute "file", by module and name.
TRANSPARENT = {("tempfile", "_TemporaryFileWrapper"), ("django.core.files.base", "File")}


def file_region(wrapper):
    """Returns (descriptor, offset, count) of what is left of the wrapped file, or None if only read() knows.

    A fileno() is not enough: that of a gzip file, for one, belongs to other bytes than its read().
    """
    f = wrapper.filelike
    if (type(f).__module__, type(f).__name__) in TRANSPARENT:
        f = f.file
    raw = f.raw if type(f) in (io.BufferedReader, io.BufferedRandom) else f
    if type(raw) is not io.FileIO or raw.closed:
        return None
    try:
        info = os.fstat(raw.fileno())
        offset = f.tell()
    except OSError:
        return None
    if not stat.S_ISREG(info.st_mode):
        return None
    return raw.fileno(), offset, max(0, info.st_size - offset)


def open_body(fd, length):
    """Returns a file over a request body that came as descriptor, from its start."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        if os.fstat(fd).st_size != length:
            raise OSError("the request body has another size than its message says")
        return open(fd, "rb", buffering=65536)
    except BaseException:
        os.close(fd)
        raise
