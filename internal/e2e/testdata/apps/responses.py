"""One path for each way in which an application may answer, rightly or wrongly."""

import io
import os
import sys

import sign

PLAIN = [("Content-Type", "text/plain")]


class Body:
    """An iterable that gives a sign when it is closed."""

    def __init__(self, name, pieces, fail_after=None):
        self.name, self.pieces, self.fail_after = name, iter(pieces), fail_after
        self.given = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.given == self.fail_after:
            raise RuntimeError("the body of %s fails" % self.name)
        self.given += 1
        return next(self.pieces)

    def close(self):
        sign.append("closed", self.name)


class OldSequence:
    """Iterable by __getitem__ alone, as before Python 2.2."""

    def __getitem__(self, index):
        return (b"old ", b"sequence")[index]


def list_body(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"one ", b"", b"two"]


def tuple_body(environ, start_response):
    start_response("200 OK", PLAIN)
    return (b"tu", b"ple")


def generator(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"gene"
    yield b"rator"


def old_sequence(environ, start_response):
    start_response("200 OK", PLAIN)
    return OldSequence()


def one_string(environ, start_response):
    """A bytes object yields integers, strictly speaking; many servers send it whole."""
    start_response("200 OK", PLAIN)
    return b"bytes"


def empty_list(environ, start_response):
    start_response("200 OK", PLAIN)
    return []


def empty_pieces(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"", b"", b""]


def late_start(environ, start_response):
    """start_response runs only when the first piece is asked for."""
    start_response("200 OK", PLAIN + [("X-Late", "yes")])
    yield b"late"


def write(environ, start_response):
    out = start_response("200 OK", PLAIN)
    out(b"writ")
    out(b"")
    out(b"ten")
    return []


def write_and_iterate(environ, start_response):
    out = start_response("200 OK", PLAIN)
    out(b"written, ")
    return [b"then ", b"iterated"]


def write_streams(environ, start_response):
    out = start_response("200 OK", PLAIN)
    out(b"first")
    sign.wait(environ["QUERY_STRING"])
    out(b"second")
    return []


def streams(environ, start_response):
    """?NAME names the sign to go on. The length is told when the path says so."""
    fields = PLAIN + [("Content-Length", "11")] if environ["PATH_INFO"] == "/streams-sized" else PLAIN
    start_response("200 OK", fields)
    yield b"first"
    sign.wait(environ["QUERY_STRING"])
    yield b"second"


def replaced_before(environ, start_response):
    """An error page replaces headers that are not out yet."""
    start_response("200 OK", PLAIN + [("X-First", "yes")])
    try:
        raise ValueError("before the headers")
    except ValueError:
        start_response("503 Not Today", PLAIN + [("X-Second", "yes")], sys.exc_info())
    return [b"error page"]


def replaced_after(environ, start_response):
    """Too late: start_response must raise the error it is given."""
    start_response("200 OK", PLAIN)
    yield b"already out"
    try:
        raise ValueError("after the headers")
    except ValueError:
        info = sys.exc_info()
        try:
            start_response("500 Too Late", PLAIN, info)
        except ValueError as error:
            sign.append("raised", str(error))
            raise
        finally:
            info = None
    yield b"never seen"


def started_twice(environ, start_response):
    """Without exc_info a second call is an error of the application."""
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"never seen"]


def not_started(environ, start_response):
    return [b"never seen"]


def not_iterable(environ, start_response):
    start_response("200 OK", PLAIN)
    return 42


def none(environ, start_response):
    start_response("200 OK", PLAIN)
    return None


def text_piece(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text, not bytes"]


def too_short(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "10")])
    return Body("too-short", [b"short"])


def too_long(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "4")])
    return Body("too-long", [b"long", b" and longer"])


def too_long_piece(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "4")])
    return [b"long and longer"]


def fails(environ, start_response):
    raise RuntimeError("the application fails")


def fails_started(environ, start_response):
    start_response("200 OK", PLAIN)
    raise RuntimeError("the application fails after start_response")


def fails_first(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body("fails-first", [b"never seen"], fail_after=0)


def fails_later(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body("fails-later", [b"first", b"never seen"], fail_after=1)


def exits(environ, start_response):
    sys.exit(3)


def closes(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body("closes", [b"clo", b"sed"])


def close_fails(environ, start_response):
    class Failing(Body):
        def close(self):
            Body.close(self)
            raise RuntimeError("close fails")

    start_response("200 OK", PLAIN)
    return Failing("close-fails", [b"body"])


def endless(environ, start_response):
    """Ends only by the client's leaving."""
    start_response("200 OK", PLAIN)

    def pieces():
        sign.give("endless-started")
        while True:
            yield b"x" * 65536

    return Body("endless", pieces())


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return Body("no-content", [b""])


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"tag"')])
    return []


def body_where_none_belongs(environ, start_response):
    start_response("204 No Content", [])
    return [b"must not be sent"]


def own_reason(environ, start_response):
    start_response("299 Rather Special", PLAIN)
    return [b"special"]


def headers(environ, start_response):
    start_response(
        "200 OK",
        [
            ("Content-Type", "text/plain"),
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2; Path=/"),
            ("x-CASE-Kept", "MiXed"),
            ("X-Latin", "caf\xe9"),
            ("X-Empty", ""),
        ],
    )
    return [b"headers"]


def bad(status="200 OK", fields=PLAIN):
    def application(environ, start_response):
        start_response(status, fields)
        return [b"never seen"]

    return application


def sized(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "5")])
    return Body("sized", [b"sized"])


def big(environ, start_response):
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN + [("Content-Length", str(size))])
    return [b"b" * size]


def many(environ, start_response):
    start_response("200 OK", PLAIN)
    return (b"%d," % number for number in range(int(environ["QUERY_STRING"])))


class Counted(io.FileIO):
    def close(self):
        if not self.closed:
            sign.append("closed", "file")
        super().close()


def file(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", str(os.stat("file.bin").st_size))])
    return environ["wsgi.file_wrapper"](Counted("file.bin"), 8192)


def file_without_length(environ, start_response):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](open("file.bin", "rb"))


def file_from_offset(environ, start_response):
    """The file is sent from where it stands."""
    opened = open("file.bin", "rb")
    opened.seek(1000)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](opened)


def file_with_less(environ, start_response):
    """Content-Length cuts the file."""
    start_response("200 OK", PLAIN + [("Content-Length", "100")])
    return environ["wsgi.file_wrapper"](open("file.bin", "rb"))


def file_in_memory(environ, start_response):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"m" * 100000), 1000)


def file_iterated(environ, start_response):
    """Middleware may iterate the wrapper instead of handing it on."""
    wrapper = environ["wsgi.file_wrapper"](open("file.bin", "rb"), 4096)
    start_response("200 OK", PLAIN)
    for piece in wrapper:
        yield piece


def errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write("written to wsgi.errors: caf\xe9\n")
    stream.writelines(["a line\n", "another line\n"])
    stream.flush()
    start_response("200 OK", PLAIN)
    return [b"errors"]


PAGES = {
    "/list": list_body,
    "/tuple": tuple_body,
    "/generator": generator,
    "/old-sequence": old_sequence,
    "/one-string": one_string,
    "/empty-list": empty_list,
    "/empty-pieces": empty_pieces,
    "/late-start": late_start,
    "/write": write,
    "/write-and-iterate": write_and_iterate,
    "/write-streams": write_streams,
    "/streams": streams,
    "/streams-sized": streams,
    "/replaced-before": replaced_before,
    "/replaced-after": replaced_after,
    "/started-twice": started_twice,
    "/not-started": not_started,
    "/not-iterable": not_iterable,
    "/none": none,
    "/text-piece": text_piece,
    "/too-short": too_short,
    "/too-long": too_long,
    "/too-long-piece": too_long_piece,
    "/fails": fails,
    "/fails-started": fails_started,
    "/fails-first": fails_first,
    "/fails-later": fails_later,
    "/exits": exits,
    "/closes": closes,
    "/close-fails": close_fails,
    "/endless": endless,
    "/no-content": no_content,
    "/not-modified": not_modified,
    "/body-where-none-belongs": body_where_none_belongs,
    "/own-reason": own_reason,
    "/headers": headers,
    "/bad-status-text": bad(status="OK"),
    "/bad-status-low": bad(status="99 Low"),
    "/bad-status-switch": bad(status="101 Switching Protocols"),
    "/bad-status-newline": bad(status="200 OK\r\nX-Injected: yes"),
    "/bad-status-bytes": bad(status=b"200 OK"),
    "/bad-header-newline": bad(fields=[("X-Bad", "one\r\nX-Injected: yes")]),
    "/bad-header-name": bad(fields=[("X Bad", "value")]),
    "/bad-header-empty-name": bad(fields=[("", "value")]),
    "/bad-header-nul": bad(fields=[("X-Bad", "a\x00b")]),
    "/bad-header-bytes": bad(fields=[(b"X-Bad", b"bytes")]),
    "/bad-header-not-latin": bad(fields=[("X-Bad", "\u20ac")]),
    "/bad-header-no-pair": bad(fields=[("X-Bad",)]),
    "/bad-header-length": bad(fields=[("Content-Length", "-1")]),
    "/bad-headers-no-list": bad(fields=42),
    "/sized": sized,
    "/big": big,
    "/many": many,
    "/file": file,
    "/file-without-length": file_without_length,
    "/file-from-offset": file_from_offset,
    "/file-with-less": file_with_less,
    "/file-in-memory": file_in_memory,
    "/file-iterated": file_iterated,
    "/errors": errors,
}


def app(environ, start_response):
    return PAGES[environ["PATH_INFO"]](environ, start_response)
