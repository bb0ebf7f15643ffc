"""One application for the table of wsgi_test.go: PATH_INFO names the function that answers."""

import gc
import gzip
import io
import json
import os
import sys
import tempfile
import threading

PLAIN = [("Content-Type", "text/plain")]
kept = {}
closed = {"body": 0, "file": 0}


def application(environ, start_response):
    return globals()[environ["PATH_INFO"][1:]](environ, start_response)


class Body:
    """An iterable that says what happens to it."""

    def __init__(self, chunks, fail_close=False):
        self.chunks = iter(chunks)
        self.fail_close = fail_close

    def __iter__(self):
        return self

    def __next__(self):
        chunk = next(self.chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self):
        closed["body"] += 1
        if self.fail_close:
            raise RuntimeError("close failed")


class Sized(Body):
    def __len__(self):
        return 1


def closes(environ, start_response):
    """Tells how many bodies or files were closed since it was asked last."""
    start_response("200 OK", PLAIN)
    n, closed[environ["QUERY_STRING"]] = closed[environ["QUERY_STRING"]], 0
    return [b"%d" % n]


def one(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"one"]


def several(environ, start_response):
    start_response("200 OK", PLAIN)
    return (b"one", b"", b"two", b"three")


def nothing(environ, start_response):
    start_response("200 OK", PLAIN)
    return []


def blank(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["".encode()]


def generator(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"one"
    yield b""
    yield b"two"


def late_start(environ, start_response):
    yield b""
    start_response("201 Created", PLAIN)
    yield b"late"


def sized(environ, start_response):
    start_response("200 OK", PLAIN)
    return Sized([b"sized"])


def closing(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body([b"one", b"two"])


def close_fails(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body([b"one"], fail_close=True)


def iteration_fails(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body([b"one", ValueError("in the middle")])


def iteration_fails_first(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body([ValueError("at the start"), b"one"])


def known_length(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return Body([b"one", b"two"])


def too_long(environ, start_response):
    start_response("200 OK", [("content-length", "4")])
    return Body([b"one", b"two", b"three"])


def too_long_list(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"onetwo"]


def too_short(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return Body([b"one"])


def too_short_list(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return [b"one"]


def write(environ, start_response):
    w = start_response("200 OK", PLAIN)
    w(b"written ")
    w(b"")
    return [b"and returned"]


def write_only(environ, start_response):
    start_response("200 OK", [("Content-Length", "7")])(b"written")
    return []


def no_content(environ, start_response):
    start_response("204 No Content", [("Content-Length", "0"), ("X-A", "1")])
    return []


def no_content_body(environ, start_response):
    start_response("204 No Content", [])
    return [b"forbidden"]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("Content-Length", "1000"), ("ETag", '"1"')])
    return []


def fields(environ, start_response):
    start_response(
        "299 Gr\xfc\xdfe",
        [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", "\xe9\xff\x80"), ("X-Tab", "a\tb"), ("X-Empty", "")]
        + [("X-Space", " a b\t")],
    )
    return [b"x"]


def bare_status(environ, start_response):
    start_response("200", PLAIN)
    return [b"x"]


def hop_by_hop(environ, start_response):
    start_response(
        "200 OK", [("Connection", "close"), ("TRANSFER-ENCODING", "chunked"), ("Keep-Alive", "1"), ("X-Kept", "yes")]
    )
    return [b"x"]


def keywords(environ, start_response):
    start_response(status="200 OK", headers=PLAIN, exc_info=None)
    return [b"x"]


def replaced(environ, start_response):
    start_response("200 OK", [("X-First", "1")])
    try:
        raise ValueError
    except ValueError:
        start_response("500 Sorry", [("X-Second", "2")], sys.exc_info())
    return [b"sorry"]


def too_late(environ, start_response):
    w = start_response("200 OK", PLAIN)
    w(b"sent")
    try:
        raise ValueError("the original")
    except ValueError:
        start_response("500 Sorry", [], sys.exc_info())
    return [b"never"]


def too_late_nothing(environ, start_response):
    start_response("200 OK", PLAIN)(b"sent")
    start_response("500 Sorry", [], sys.exc_info())


def bad_chunk(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"good", "bad"]


def twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"x"]


def never(environ, start_response):
    return [b"x"]


def never_empty(environ, start_response):
    return []


def returns_none(environ, start_response):
    start_response("200 OK", PLAIN)


def returns_str(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


def returns_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    return b"bytes"


def fails(environ, start_response):
    raise ValueError("broken app \xe9")


def fails_after_start(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("broken app")


def exits(environ, start_response):
    sys.exit(7)


def interrupts(environ, start_response):
    raise KeyboardInterrupt


def generator_exit(environ, start_response):
    start_response("200 OK", PLAIN)
    raise GeneratorExit
    yield b"x"


def late_calls(environ, start_response):
    if not kept:
        kept["start"] = start_response
        kept["write"] = start_response("200 OK", PLAIN)
        return [b"kept"]
    said = []
    for f, args in ((kept["start"], ("200 OK", [])), (kept["write"], (b"x",))):
        try:
            f(*args)
            said.append("nothing")
        except RuntimeError as e:
            said.append(str(e))
    start_response("200 OK", PLAIN)
    return ["|".join(said).encode()]


def bad(environ, start_response):
    """Calls start_response with what the query says and shows the error."""
    query, _, size = environ["QUERY_STRING"].partition("&")
    arguments = {
        "status_bytes": (b"200 OK", []),
        "status_short": ("20", []),
        "status_text": ("OK", []),
        "status_1xx": ("101 Switching Protocols", []),
        "status_nospace": ("200OK", []),
        "status_newline": ("200 O\nK", []),
        "status_unicode": ("200 \u20ac", []),
        "headers_tuple": ("200 OK", (("A", "b"),)),
        "headers_dict": ("200 OK", {"A": "b"}),
        "header_list": ("200 OK", [["A", "b"]]),
        "header_triple": ("200 OK", [("A", "b", "c")]),
        "header_bytes": ("200 OK", [(b"A", "b")]),
        "value_bytes": ("200 OK", [("A", b"b")]),
        "value_int": ("200 OK", [("A", 1)]),
        "value_crlf": ("200 OK", [("A", "b\r\nX-Injected: 1")]),
        "value_nul": ("200 OK", [("A", "b\0")]),
        "value_unicode": ("200 OK", [("A", "\u20ac")]),
        "value_surrogate": ("200 OK", [("A", "\udc80")]),
        "name_space": ("200 OK", [("A B", "b")]),
        "name_empty": ("200 OK", [("", "b")]),
        "name_colon": ("200 OK", [("A:", "b")]),
        "name_latin": ("200 OK", [("\xe9", "b")]),
        "head_edge": ("200 OK", [("A", "x" * int(size or 0)), ("B", "y" * 10)]),
        "length_text": ("200 OK", [("Content-Length", "x")]),
        "length_negative": ("200 OK", [("Content-Length", "-1")]),
        "length_huge": ("200 OK", [("Content-Length", "9" * 30)]),
        "length_twice": ("200 OK", [("Content-Length", "1"), ("Content-Length", "1")]),
        "head_huge": ("200 OK", [("A", "x" * 70000)]),
        "head_many": ("200 OK", [("A", "x" * 1000)] * 70),
        "no_headers": ("200 OK",),
        "exc_info": ("200 OK", [], 1),
        "too_many": ("200 OK", [], None, None),
    }[query]
    try:
        start_response(*arguments)
        return [b"no error"]
    except Exception as e:
        text = "%s: %s" % (type(e).__name__, e)
    try:
        raise ValueError
    except ValueError:
        start_response("200 OK", PLAIN, sys.exc_info())
    return [text.encode("ascii", "backslashreplace")]


def blocks(environ, start_response):
    """Tells how many memory blocks and descriptors there are."""
    gc.collect()
    start_response("200 OK", PLAIN)
    return [b"%d %d" % (sys.getallocatedblocks(), len(os.listdir("/proc/self/fd")))]


def environ_json(environ, start_response):
    start_response("200 OK", PLAIN)
    plain = {k: v for k, v in environ.items() if isinstance(v, (str, bool, int, tuple))}
    plain["type"] = type(environ) is dict
    plain["errors"] = environ["wsgi.errors"] is sys.stderr
    plain["thread"] = threading.current_thread().name
    plain["argv"] = sys.argv
    plain["main"] = sorted(k for k in vars(sys.modules["__main__"]) if not k.startswith("__"))
    plain["env"] = sorted(k for k in os.environ if k.startswith("HOGNOSE"))
    return [json.dumps(plain).encode()]


def read(environ, start_response):
    """Reads the body in the ways of PEP 3333; the query says which."""
    f = environ["wsgi.input"]
    how = environ["QUERY_STRING"]
    if how == "all":
        body = f.read()
    elif how == "sizes":
        body = b"".join(iter(lambda: f.read(7), b""))
    elif how == "lines":
        body = b"".join(iter(f.readline, b""))
    elif how == "short_lines":
        body = b"".join(iter(lambda: f.readline(3), b""))
    elif how == "readlines":
        body = b"".join(f.readlines())
    elif how == "hint":
        body = b"".join(f.readlines(10) + f.readlines())
    elif how == "iterate":
        body = b"".join(f)
    elif how == "none":
        body = b""
    assert how == "none" or f.read() == b"" and f.read(5) == b"" and f.readline() == b""
    start_response("200 OK", PLAIN + [("X-Type", type(f).__name__)])
    return [body]


def keep_input(environ, start_response):
    kept["input"] = environ["wsgi.input"]
    start_response("200 OK", PLAIN)
    return [b"kept"]


def kept_input(environ, start_response):
    start_response("200 OK", PLAIN)
    return [str(kept.pop("input").closed).encode()]


def errors(environ, start_response):
    environ["wsgi.errors"].write("written to wsgi.errors\n")
    environ["wsgi.errors"].writelines(["a", "b\n"])
    environ["wsgi.errors"].flush()
    print("printed")
    return one(environ, start_response)


class Logged(io.FileIO):
    pass


def file(environ, start_response):
    """Returns a file through wsgi.file_wrapper; the query says which."""
    kind, _, length = environ["QUERY_STRING"].partition("&")
    f = tempfile.TemporaryFile() if kind != "named" else tempfile.NamedTemporaryFile()
    f.write(b"0123456789" * (1 if kind == "small" else 10000))
    f.flush()
    f.seek(0)
    if kind == "seek":
        f.read(10)
        f.readline(5)
    elif kind == "end":
        f.seek(0, 2)
    elif kind == "raw":
        f = io.FileIO(os.dup(f.fileno()), "rb")
    elif kind == "memory":
        f = io.BytesIO(f.read())
    elif kind == "subclass":
        f = Logged(os.dup(f.fileno()), "rb")
    elif kind == "gzip":
        packed = tempfile.TemporaryFile()
        with gzip.open(packed, "wb") as z:
            z.write(f.read())
        packed.seek(0)
        f = gzip.open(packed)
    elif kind == "pipe":
        r, w = os.pipe()
        os.write(w, b"from a pipe")
        os.close(w)
        f = open(r, "rb")
    wrapper = environ["wsgi.file_wrapper"](f, 4096)
    close = f.close

    def count_close():
        closed["file"] += 1
        close()

    wrapper.close = count_close
    headers = [("Content-Length", length)] if length else []
    start_response("200 OK", headers)
    return wrapper


def wrapped_file(environ, start_response):
    start_response("200 OK", PLAIN)
    return iter(list(environ["wsgi.file_wrapper"](io.BytesIO(b"x" * 10000), 1000)))


def big(environ, start_response):
    n = int(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    return [bytes(range(256)) * (n // 256) + b"x" * (n % 256)]


def big_chunks(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"%08d" % i * 16384 for i in range(12)]


def stream(environ, start_response):
    """Yields chunks of 100000 bytes, as many as the query says."""
    start_response("200 OK", PLAIN)
    return Body(b"%05d" % i * 20000 for i in range(int(environ["QUERY_STRING"])))


def other_thread(environ, start_response):
    """Calls write in another thread while this one waits for it."""
    w = start_response("200 OK", PLAIN)
    t = threading.Thread(target=lambda: [w(b"thread ") for _ in range(3)])
    t.start()
    t.join()
    return [b"end"]


def forks(environ, start_response):
    """Forks without exec; the child returns through our code."""
    pid = os.fork()
    if pid == 0:
        return fails(environ, start_response)
    _, status = os.waitpid(pid, 0)
    start_response("200 OK", PLAIN)
    return [b"child ended with %d" % os.WEXITSTATUS(status)]
