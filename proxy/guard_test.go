package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

func testGuard() *Guard {
	return NewGuard(GuardConfig{RequestLine: 8192, HeaderBlock: 32768, MaxFields: 100, MergeSlashes: true})
}

// guardRun is a guard with the memory of one connection.
type guardRun struct {
	g      *Guard
	ex     exchange.Exchange
	hd     Head
	h      fasthttp.RequestHeader
	source bytes.Reader
	br     *bufio.Reader
}

func newRun(g *Guard) *guardRun {
	return &guardRun{g: g, br: bufio.NewReaderSize(nil, 64<<10)}
}

var errIncomplete = errors.New("request head is not complete")

// read reads the first request of input and returns what follows it.
func (r *guardRun) read(input []byte) (rest []byte, err error) {
	var s HeadScanner
	start, end, err := s.Scan(r.g, input)
	if err != nil {
		return nil, err
	}
	if end == 0 {
		return nil, errIncomplete
	}
	return input[end:], r.head(input[start:end])
}

// head is what a connection does with a complete head.
func (r *guardRun) head(head []byte) error {
	r.source.Reset(head)
	r.br.Reset(&r.source)
	err := r.h.Read(r.br)
	return r.g.Request(&r.ex, &r.hd, head, &r.h, err)
}

func (r *guardRun) readString(t *testing.T, input string) {
	t.Helper()
	if _, err := r.read([]byte(input)); err != nil {
		t.Fatalf("%q is refused: %v", input, err)
	}
}

func TestGuardRules(t *testing.T) {
	run := newRun(testGuard())
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			for _, req := range rule.requests {
				_, err := run.read([]byte(req))
				checkVerdict(t, rule, req, err)
			}
		})
	}
}

func checkVerdict(t *testing.T, rule rule, req string, err error) {
	t.Helper()
	if rule.status == 200 {
		if err != nil {
			t.Errorf("%s is refused: %v", short(req), err)
		}
		return
	}
	se, ok := errors.AsType[*exchange.StatusError](err)
	if !ok || se.Code != rule.status || se.Close == rule.open {
		t.Errorf("%s gives %+v; want status %d, open %t", short(req), err, rule.status, rule.open)
	}
}

// short quotes a request for a message.
func short(req string) string {
	if len(req) > 200 {
		return strconv.Quote(req[:100]) + "..." + strconv.Quote(req[len(req)-100:])
	}
	return strconv.Quote(req)
}

// A head that arrives in two pieces gets the verdict of the whole, whatever the pieces.
func TestHeadScannerSplit(t *testing.T) {
	g := testGuard()
	for _, rule := range rules() {
		for _, req := range rule.requests {
			if len(req) > 2000 {
				continue
			}
			var whole HeadScanner
			wantStart, wantEnd, wantErr := whole.Scan(g, []byte(req))
			for cut := 1; cut < len(req); cut++ {
				var s HeadScanner
				start, end, err := s.Scan(g, []byte(req[:cut]))
				if err == nil && end == 0 {
					start, end, err = s.Scan(g, []byte(req))
				}
				if start != wantStart || end != wantEnd || (err == nil) != (wantErr == nil) {
					t.Fatalf("%q cut at %d gives %d, %d, %v; want %d, %d, %v", req, cut, start, end, err, wantStart, wantEnd, wantErr)
				}
			}
		}
	}
}

func TestHeadScannerLimits(t *testing.T) {
	g := testGuard()
	f := func(input string, want int) {
		t.Helper()
		var s HeadScanner
		_, _, err := s.Scan(g, []byte(input))
		if (err != nil || want != 0) && exchange.StatusOf(err) != want {
			t.Errorf("%d bytes give %v; want %d", len(input), err, want)
		}
	}
	line := "GET /" + strings.Repeat("a", 8192-14) + " HTTP/1.1"
	f("GET /"+strings.Repeat("a", 9000), 414)
	f(line+"a\r\n", 414)
	f(line+"\r", 0)
	f("GET / HTTP/1.1\r\nX: "+strings.Repeat("a", 40000), 431)
	f("GET / HTTP/1.1\r\n"+strings.Repeat("X: a\r\n", 9000), 431)
}

func TestGuardFillsExchange(t *testing.T) {
	run := newRun(testGuard())
	run.readString(t, r("POST /a%20b//c/../d?x=%31&y HTTP/1.1\nUser-Agent: ua\nHost: WWW.Example.com.:8443\nX_Y: dropped\n"+
		"Content-Type: text/plain\nContent-Length: 12\nCookie: a=1\nAccept: */*\nConnection: keep-alive, X-Hop\nX-Hop: gone\nKeep-Alive: 5\n"+
		"TE: trailers\nTrailer: X-T\nProxy: evil\nProxy-Connection: x\nUpgrade: h2c\nHTTP2-Settings: x\nExpect: 100-continue\nCookie: b=2"))
	ex := &run.ex
	f := func(what string, got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("%s = %q; want %q", what, got, want)
		}
	}
	f("Method", ex.Method, "POST")
	f("Target", ex.Target, "/a%20b//c/../d?x=%31&y")
	f("Path", ex.Path, "/a b/d")
	f("Query", ex.Query, "x=%31&y")
	f("Host", ex.Host, "www.example.com")
	f("Authority", ex.Authority, "WWW.Example.com.:8443")
	f("Line", run.hd.Line, "POST /a%20b//c/../d?x=%31&y HTTP/1.1")
	if ex.Proto != exchange.HTTP11 || ex.ContentLength != 12 || !run.hd.KeepAlive || !run.hd.Expect || run.hd.Dropped != 1 {
		t.Errorf("Proto %v, ContentLength %d, KeepAlive %t, Expect %t, Dropped %d",
			ex.Proto, ex.ContentLength, run.hd.KeepAlive, run.hd.Expect, run.hd.Dropped)
	}
	want := []string{"User-Agent=ua", "Content-Type=text/plain", "Cookie=a=1", "Accept=*/*", "Cookie=b=2"}
	if got := fieldList(ex.Fields); !slices.Equal(got, want) {
		t.Errorf("Fields = %q; want %q", got, want)
	}
}

func fieldList(fs []exchange.Field) []string {
	var out []string
	for _, f := range fs {
		out = append(out, string(f.Name)+"="+string(f.Value))
	}
	return out
}

func TestGuardForgetsLastRequest(t *testing.T) {
	run := newRun(testGuard())
	run.readString(t, r("POST http://h/%41?q HTTP/1.1\nHost: h\nContent-Length: 5\nX: y\nConnection: close, z\nExpect: 100-continue\nX-Forwarded-For: 1"))
	run.readString(t, r("GET / HTTP/1.0"))
	ex := &run.ex
	if len(ex.Query)+len(ex.Host)+len(ex.Authority)+len(ex.Fields) != 0 || ex.ContentLength != 0 ||
		run.hd.Expect || run.hd.KeepAlive || run.hd.forwarded || run.hd.listed != nil && len(run.hd.listed) != 0 {
		t.Errorf("the second request has parts of the first: %+v %+v", ex, run.hd)
	}
}

func TestGuardKeepAlive(t *testing.T) {
	run := newRun(testGuard())
	f := func(want bool, version, lines string) {
		t.Helper()
		run.readString(t, r("GET / "+version+"\nHost: h"+lines))
		if run.hd.KeepAlive != want {
			t.Errorf("%s with %q: KeepAlive = %t; want %t", version, lines, run.hd.KeepAlive, want)
		}
	}
	f(true, "HTTP/1.1", "")
	f(false, "HTTP/1.1", "\nConnection: close")
	f(false, "HTTP/1.1", "\nConnection: keep-alive\nConnection: CLOSE")
	f(false, "HTTP/1.1", "\nConnection: x ,{HT}close,")
	f(true, "HTTP/1.1", "\nConnection: closed")
	f(false, "HTTP/1.0", "")
	f(true, "HTTP/1.0", "\nConnection: Keep-Alive")
	f(false, "HTTP/1.0", "\nConnection: keep-alive, close")
}

func TestGuardConnectionCannotRemove(t *testing.T) {
	run := newRun(testGuard())
	run.readString(t, r("GET / HTTP/1.1\nHost: h\nCookie: c\nAuthorization: a\nX-Forwarded-For: f\nX-Real-IP: i\nForwarded: f\nContent-Type: t\n"+
		"Content-Encoding: e\nX-Other: o\nConnection: Host, cookie, AUTHORIZATION, X-Forwarded-For, X-Real-Ip, Forwarded, Content-Type, Content-Encoding, X-OTHER"))
	want := []string{"Cookie=c", "Authorization=a", "X-Forwarded-For=f", "X-Real-IP=i", "Forwarded=f", "Content-Type=t", "Content-Encoding=e"}
	if got := fieldList(run.ex.Fields); !slices.Equal(got, want) {
		t.Errorf("Fields = %q; want %q", got, want)
	}
}

func TestGuardUnderscores(t *testing.T) {
	g := testGuard()
	g.cfg.Underscores = true
	run := newRun(g)
	run.readString(t, r("GET / HTTP/1.1\nHost: h\nX_User: u\nX_Forwarded_For: f\nProxy_Connection: p\nX.Y: dropped"))
	if got, want := fieldList(run.ex.Fields), []string{"X-User=u", "X-Forwarded-For=f"}; !slices.Equal(got, want) || !run.hd.forwarded {
		t.Errorf("Fields = %q, forwarded = %t; want %q, true", got, run.hd.forwarded, want)
	}
	for _, line := range []string{"Content_Length: 3", "Transfer_Encoding: chunked", "Content-Length: 3\nContent_Length: 3", "Content-Type: a\nContent_Type: b"} {
		if _, err := run.read([]byte(r("POST / HTTP/1.1\nHost: h\n" + line))); exchange.StatusOf(err) != 400 {
			t.Errorf("%q gives %v; want 400", line, err)
		}
	}
}

func TestGuardPath(t *testing.T) {
	run := newRun(testGuard())
	f := func(target, want string) {
		t.Helper()
		run.readString(t, r("GET "+target+" HTTP/1.1\nHost: h"))
		if string(run.ex.Path) != want {
			t.Errorf("path of %q = %q; want %q", target, run.ex.Path, want)
		}
	}
	f("/", "/")
	f("//", "/")
	f("/a", "/a")
	f("/a/", "/a/")
	f("/a//b///c", "/a/b/c")
	f("/a//", "/a/")
	f("/.", "/")
	f("/./", "/")
	f("/a/.", "/a/")
	f("/a/..", "/")
	f("/a/../", "/")
	f("/a/b/../c", "/a/c")
	f("/a/b/c/../../d", "/a/d")
	f("/a/./b", "/a/b")
	f("/a//../b", "/b")
	f("/...", "/...")
	f("/.well-known/x", "/.well-known/x")
	f("/a..b/c.", "/a..b/c.")
	f("/a%2fb", "/a/b")
	f("/a/%2e%2E/b", "/b")
	f("/a%2f..%2fb", "/b")
	f("/a%2F%2Fb", "/a/b")
	f("/%25%32%30", "/%20")
	f("/%3f%23", "/?#")
	f("/a\\..\\b;c", "/a\\..\\b;c")
	f("/caf%C3%A9", "/café")
	f("//evil/p?x=://", "/evil/p")
	f("http://h", "/")
	f("http://h?x", "/")
	f("http://h/a/../b?x", "/b")
}

func TestGuardKeepsSlashes(t *testing.T) {
	g := testGuard()
	g.cfg.MergeSlashes = false
	run := newRun(g)
	for target, want := range map[string]string{"//": "//", "/a//b": "/a//b", "/a//..": "/a/", "/a/.//b": "/a//b"} {
		run.readString(t, r("GET "+target+" HTTP/1.1\nHost: h"))
		if string(run.ex.Path) != want {
			t.Errorf("path of %q = %q; want %q", target, run.ex.Path, want)
		}
	}
}

func TestGuardAbsoluteForm(t *testing.T) {
	run := newRun(testGuard())
	f := func(target, wantTarget, wantQuery string) {
		t.Helper()
		run.readString(t, r("GET "+target+" HTTP/1.1\nHost: H:80"))
		if string(run.ex.Target) != wantTarget || string(run.ex.Query) != wantQuery || string(run.ex.Host) != "h" {
			t.Errorf("%q gives target %q, query %q, host %q; want %q, %q, h", target, run.ex.Target, run.ex.Query, run.ex.Host, wantTarget, wantQuery)
		}
	}
	f("http://h:80/a?b", "/a?b", "b")
	f("http://H:80", "/", "")
	f("https://h:80?b", "/?b", "b")
}

// What fasthttp reads in another way is refused, even if the guard alone would accept it.
func TestGuardAgreement(t *testing.T) {
	f := func(name string, change func(h *fasthttp.RequestHeader)) {
		t.Helper()
		run := newRun(testGuard())
		head := []byte(r("POST /a HTTP/1.1\nHost: h\nContent-Length: 3"))
		run.source.Reset(head)
		run.br.Reset(&run.source)
		if err := run.h.Read(run.br); err != nil {
			t.Fatal(err)
		}
		change(&run.h)
		if err := run.g.Request(&run.ex, &run.hd, head, &run.h, nil); exchange.StatusOf(err) != 400 {
			t.Errorf("%s: got %v; want 400", name, err)
		}
	}
	f("length", func(h *fasthttp.RequestHeader) { h.SetContentLength(4) })
	f("chunked", func(h *fasthttp.RequestHeader) { h.SetContentLength(-1) })
	f("method", func(h *fasthttp.RequestHeader) { h.SetMethod("PUT") })
	f("target", func(h *fasthttp.RequestHeader) { h.SetRequestURI("/b") })
	f("host", func(h *fasthttp.RequestHeader) { h.SetHost("i") })
	f("version", func(h *fasthttp.RequestHeader) { h.SetProtocol("HTTP/1.0") })
}
