package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/uwsgi"
)

// peer is the server's side of one connection of a scripted uwsgi server.
type peer struct {
	testing.TB
	net.Conn
	vars map[string]string
}

// readPacket reads the variables of the request.
func (p *peer) readPacket() {
	h := make([]byte, uwsgi.HeaderLen)
	if _, err := io.ReadFull(p, h); err != nil {
		return
	}
	n, err := uwsgi.Size(h)
	if err != nil {
		p.Error(err)
		return
	}
	packet := append(h, make([]byte, n-len(h))...)
	if _, err := io.ReadFull(p, packet[len(h):]); err != nil {
		p.Error(err)
		return
	}
	fields, err := uwsgi.Parse(nil, packet)
	if err != nil {
		p.Error(err)
	}
	p.vars = map[string]string{}
	for _, f := range fields {
		p.vars[string(f.Name)] = string(f.Value)
	}
}

// readRequest reads the variables and the body.
func (p *peer) readRequest() []byte {
	p.readPacket()
	n, _ := strconv.Atoi(p.vars["CONTENT_LENGTH"])
	body := make([]byte, n)
	if _, err := io.ReadFull(p, body); err != nil {
		p.Errorf("request body: %v", err)
	}
	return body
}

func (p *peer) say(s string) { io.WriteString(p, s) }

// newServer runs script for each connection, and closes it after. It returns the address.
func newServer(t testing.TB, script func(p *peer)) string {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	must(t, err)
	serve(t, ln, script)
	return "unix:" + ln.Addr().String()
}

func serve(t testing.TB, ln net.Listener, script func(p *peer)) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				script(&peer{TB: t, Conn: conn})
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newClient(t testing.TB, address string, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{Address: address, Body: spool.Limits{Inline: 64 << 10, Memory: 1 << 20, Dir: t.TempDir()}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	must(t, err)
	return c
}

func buffering(c *Config) { c.Buffering, c.MaxTempFileSize = true, 1<<30 }

func request(method, target, body string) *exchange.Exchange {
	path, query, _ := strings.Cut(target, "?")
	ex := &exchange.Exchange{
		Method: []byte(method), Target: []byte(target), Path: []byte(path), Query: []byte(query), Proto: exchange.HTTP11,
		Scheme: "http", Host: []byte("example.com"), Authority: []byte("example.com:8080"), ID: []byte("0123456789abcdef0123456789abcdef"),
		Remote: netip.MustParseAddrPort("192.0.2.1:4711"), Local: netip.MustParseAddrPort("192.0.2.2:8080"),
	}
	if body != "" {
		ex.Body, ex.ContentLength = strings.NewReader(body), int64(len(body))
	}
	return ex
}

// answer is what came of an exchange.
type answer struct {
	status int
	reason string
	fields string
	length int64
	body   string
	err    error // of Serve
	broken error // of the body
}

func do(t testing.TB, c *Client, ex *exchange.Exchange) answer {
	t.Helper()
	if err := c.Serve(ex); err != nil {
		if ex.Response.Owner != nil || len(ex.Response.Fields) > 0 {
			t.Error("a failed exchange has an owner or fields")
		}
		return answer{status: exchange.StatusOf(err), err: err}
	}
	r := &ex.Response
	a := answer{status: r.Status, reason: string(r.Reason), fields: joinFields(r.Fields), length: r.Length, body: string(r.Body)}
	for r.Stream != nil {
		p, _, err := r.Stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			a.broken = err
			break
		}
		a.body += string(p)
	}
	must(t, r.Release())
	return a
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("0123456789", 30000)
	f := func(sent string, status int, body string, length int64, fields string) {
		t.Helper()
		address := newServer(t, func(p *peer) {
			p.readRequest()
			p.say(sent)
		})
		for _, c := range []*Client{newClient(t, address), newClient(t, address, buffering)} {
			a := do(t, c, request("GET", "/", ""))
			if a.status != status || a.body != body || a.fields != fields || a.err == nil && (a.length != length || a.broken != nil) {
				t.Errorf("%.60q, buffering %v: %d %.20q, length %d, %q, %v, %v", sent, c.cfg.Buffering, a.status, a.body, a.length, a.fields, a.err, a.broken)
			}
		}
	}
	f("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", 5, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", 200, "hello", 5, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", 0, "")
	f("HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", -1, "")
	f("HTTP/1.1 200 OK\r\n\r\n", 200, "", -1, "")
	f("HTTP/1.1 418 Teapot\r\nX-A: b\r\nConnection: close\r\nServer: x\r\nX-Sendfile: /etc/passwd\r\n\r\n", 418, "", -1, "X-A=b")
	f("Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno", 404, "no", -1, "Content-Type=text/plain")
	f("HTTP/1.1 200 OK\r\n\r\n"+long, 200, long, -1, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"+long, 200, long, 300000, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"+long, 200, long[:200000], 200000, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\nX: "+long[:30000]+"\r\n\r\n"+long[:40000], 200, long[:40000], 40000, "X="+long[:30000])
	f("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", 304, "", -1, "ETag=\"x\"")

	f("", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nA: b\r\n", 502, "", 0, "")
	f("HTTP/1.1 199 Low\r\n\r\n", 502, "", 0, "")
	f("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 502, "", 0, "")
	f("HTTP/1.1 999 High\r\n\r\n", 502, "", 0, "")
	f("SSH-2.0-OpenSSH\r\n\r\n", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 502, "", 0, "")
	f("HTTP/1.1 200 OK\r\nX: "+long[:70000]+"\r\n\r\n", 502, "", 0, "")
}

// TestEverySplit sends an answer cut in two at every place.
func TestEverySplit(t *testing.T) {
	const sent = "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-A: b\n\r\nhello"
	var cut atomic.Int32
	address := newServer(t, func(p *peer) {
		p.readRequest()
		p.say(sent[:cut.Load()])
		p.say(sent[cut.Load():])
	})
	c := newClient(t, address)
	for i := range sent {
		cut.Store(int32(i))
		if a := do(t, c, request("GET", "/", "")); a.status != 200 || a.reason != "Fine" || a.body != "hello" || a.fields != "X-A=b" {
			t.Fatalf("cut at %d: %+v", i, a)
		}
	}
}

func TestRequestArrives(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	serve(t, ln, func(p *peer) {
		body := p.readRequest()
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\n\r\n%s|%s|%s|%s|%d", p.vars["REQUEST_METHOD"], p.vars["REQUEST_URI"], p.vars["HTTP_HOST"], p.vars["CONTENT_LENGTH"], len(body)))
	})
	c := newClient(t, ln.Addr().String(), buffering)
	f := func(ex *exchange.Exchange, want string) {
		t.Helper()
		if a := do(t, c, ex); a.body != want {
			t.Errorf("server got %q (%v); want %q", a.body, a.err, want)
		}
	}
	f(request("GET", "/a?b=c", ""), "GET|/a?b=c|example.com:8080||0")
	for _, n := range []int{1, joinSize, joinSize + 1, 64 << 10, 64<<10 + 1, 3 << 20} { // along, in memory, memfd, file
		f(request("POST", "/", strings.Repeat("x", n)), fmt.Sprintf("POST|/|example.com:8080|%d|%d", n, n))
		chunked := request("POST", "/", strings.Repeat("x", n))
		chunked.ContentLength = -1
		f(chunked, fmt.Sprintf("POST|/|example.com:8080|%d|%d", n, n))
	}
}

// failingReader is a request body that ends with an error.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestBadRequests(t *testing.T) {
	var connections atomic.Int32
	c := newClient(t, newServer(t, func(p *peer) { connections.Add(1) }))
	f := func(ex *exchange.Exchange, want int) {
		t.Helper()
		a := do(t, c, ex)
		se, _ := errors.AsType[*exchange.StatusError](a.err)
		if a.status != want || se == nil || !se.Close {
			t.Errorf("%d %v; want %d and a closed connection", a.status, a.err, want)
		}
	}
	slow := request("POST", "/", "x")
	slow.Body = failingReader{&exchange.StatusError{Code: 408, Close: true}}
	f(slow, 408)
	short := request("POST", "/", "xy")
	short.ContentLength = 3
	f(short, 400)
	f(request("GET", "/"+strings.Repeat("x", 70000), ""), 431)
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made for requests that cannot be sent", n)
	}
}

func TestHeadAndNoContent(t *testing.T) {
	c := newClient(t, newServer(t, func(p *peer) {
		p.readRequest()
		if p.vars["REQUEST_URI"] == "/204" {
			p.say("HTTP/1.1 204 No Content\r\n\r\n")
			return
		}
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
		p.say(strings.Repeat("x", 1000000)) // an application that ignores the method
	}), buffering)
	if a := do(t, c, request("HEAD", "/", "")); a.status != 200 || a.length != 1000000 || a.body != "" {
		t.Errorf("HEAD = %d, length %d, %d bytes", a.status, a.length, len(a.body))
	}
	if a := do(t, c, request("GET", "/204", "")); a.status != 204 || a.body != "" {
		t.Errorf("204 = %+v", a)
	}
}

func TestCutBody(t *testing.T) {
	c := newClient(t, newServer(t, func(p *peer) {
		p.readRequest()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: " + p.vars["QUERY_STRING"] + "\r\n\r\nhello")
	}), buffering)
	if a := do(t, c, request("GET", "/?6", "")); a.status != 502 || !strings.Contains(fmt.Sprint(a.err), "Content-Length") {
		t.Errorf("a small body that is cut = %+v; want 502: nothing was sent yet", a)
	}
	a := do(t, c, request("GET", "/?100000", ""))
	if a.status != 200 || a.body != "hello" || a.broken == nil {
		t.Errorf("a large body that is cut = %+v; want a broken stream", a)
	}
	direct := newClient(t, c.cfg.Address)
	if a := do(t, direct, request("GET", "/?6", "")); a.status != 200 || a.body != "hello" || a.broken == nil {
		t.Errorf("an unbuffered body that is cut = %+v; want a broken stream", a)
	}
}

// TestAnswerBeforeBodyIsRead: a server that answers at length while it reads, as one that echoes does, blocks nobody.
func TestAnswerBeforeBodyIsRead(t *testing.T) {
	address := newServer(t, func(p *peer) {
		p.readPacket()
		p.say("HTTP/1.1 200 OK\r\n\r\n")
		n, _ := strconv.ParseInt(p.vars["CONTENT_LENGTH"], 10, 64)
		io.CopyN(p, p, n)
	})
	body := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB, more than all buffers of a socket
	for _, c := range []*Client{newClient(t, address), newClient(t, address, buffering)} {
		if a := do(t, c, request("POST", "/", body)); a.body != body {
			t.Errorf("echo has %d bytes, %v; want %d", len(a.body), a.broken, len(body))
		}
	}
}

// TestAnswerInsteadOfReading: a server may refuse a body it has not read.
func TestAnswerInsteadOfReading(t *testing.T) {
	c := newClient(t, newServer(t, func(p *peer) {
		p.readPacket()
		p.say("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
	}))
	if a := do(t, c, request("POST", "/", strings.Repeat("x", 4<<20))); a.status != 413 || a.body != "no" {
		t.Errorf("= %+v; want the server's 413", a)
	}
}

func TestStreamIsPassedOn(t *testing.T) {
	next := make(chan string)
	address := newServer(t, func(p *peer) {
		p.readRequest()
		p.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
		for s := range next {
			p.say(s)
		}
	})
	for i, c := range []*Client{newClient(t, address), newClient(t, address, buffering)} {
		if i > 0 {
			next = make(chan string)
		}
		ex := request("GET", "/", "")
		must(t, c.Serve(ex))
		for _, want := range []string{"one", "two", "three"} {
			next <- want
			if p, _, err := ex.Response.Stream.Next(); string(p) != want || err != nil {
				t.Errorf("Next = %q, %v; want %q", p, err, want)
			}
		}
		close(next)
		if _, _, err := ex.Response.Stream.Next(); err != io.EOF {
			t.Errorf("Next = %v; want io.EOF", err)
		}
		must(t, ex.Response.Release())
	}
}

// TestSlowReader: with buffering, the server is done long before the client is; the rest is in a file.
func TestSlowReader(t *testing.T) {
	const size = 8 << 20
	done := make(chan struct{}, 1)
	c := newClient(t, newServer(t, func(p *peer) {
		p.readRequest()
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size))
		p.Write(bytes.Repeat([]byte("x"), size))
		done <- struct{}{}
	}), buffering)
	ex := request("GET", "/", "")
	must(t, c.Serve(ex))
	<-done
	n := 0
	for {
		p, _, err := ex.Response.Stream.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		n += len(p)
	}
	if n != size {
		t.Errorf("client got %d bytes; want %d", n, size)
	}
	must(t, ex.Response.Release())
}

// TestGivenUp: closing the owner half-way closes the connection to the server, whatever it is doing.
func TestGivenUp(t *testing.T) {
	closed := make(chan struct{}, 1)
	address := newServer(t, func(p *peer) {
		p.readPacket()
		p.say("HTTP/1.1 200 OK\r\n\r\nfirst")
		for {
			if _, err := p.Write(make([]byte, 64<<10)); err != nil {
				closed <- struct{}{}
				return
			}
		}
	})
	small := func(c *Config) { c.Buffering, c.MaxTempFileSize = true, 1<<20 }
	for _, c := range []*Client{newClient(t, address), newClient(t, address, small)} {
		ex := request("POST", "/", strings.Repeat("x", 4<<20)) // which the server does not read
		must(t, c.Serve(ex))
		if _, _, err := ex.Response.Stream.Next(); err != nil {
			t.Error(err)
		}
		must(t, ex.Response.Release())
		<-closed
	}
}

func TestClientGone(t *testing.T) {
	closed := make(chan struct{}, 1)
	c := newClient(t, newServer(t, func(p *peer) {
		p.readRequest()
		p.Read(make([]byte, 1))
		closed <- struct{}{}
	}))
	ex := request("GET", "/", "")
	ex.Gone = func() bool { return true }
	if a := do(t, c, ex); a.status != exchange.ClientClosed {
		t.Errorf("= %d %v; want 499", a.status, a.err)
	}
	<-closed
}

func TestTimeouts(t *testing.T) {
	short := func(c *Config) {
		c.ConnectTimeout, c.SendTimeout, c.ReadTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	}
	silent := newServer(t, func(p *peer) {
		p.readRequest()
		p.say(p.vars["QUERY_STRING"])
		p.Read(make([]byte, 1)) // until the client gives up
	})
	c := newClient(t, silent, short)
	f := func(ex *exchange.Exchange, c *Client, want string) {
		t.Helper()
		if a := do(t, c, ex); a.status != 504 || !strings.Contains(a.err.Error(), want) || !strings.Contains(a.err.Error(), c.cfg.Address) {
			t.Errorf("= %d %v; want 504 with the address and %q", a.status, a.err, want)
		}
	}
	f(request("GET", "/", ""), c, "uwsgi_read_timeout (50ms)")
	f(request("GET", "/?HTTP/1.1 200 OK\r\nX:", ""), c, "uwsgi_read_timeout")
	a := do(t, c, request("GET", "/?HTTP/1.1 200 OK\r\n\r\nhello", ""))
	if a.status != 200 || a.body != "hello" || exchange.StatusOf(a.broken) != 504 {
		t.Errorf("silence in the body = %+v; want a stream broken by 504", a)
	}
	release := make(chan struct{})
	deaf := newServer(t, func(p *peer) { <-release })
	f(request("POST", "/", strings.Repeat("x", 4<<20)), newClient(t, deaf, short), "uwsgi_send_timeout (50ms)")
	close(release)
}

func TestCannotConnect(t *testing.T) {
	c := newClient(t, filepath.Join(t.TempDir(), "none"))
	if a := do(t, c, request("GET", "/", "")); a.status != 502 || !errors.Is(a.err, os.ErrNotExist) || !strings.Contains(a.err.Error(), "none") {
		t.Errorf("no socket = %d %v; want 502", a.status, a.err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ln.Close()
	if a := do(t, newClient(t, ln.Addr().String()), request("GET", "/", "")); a.status != 502 {
		t.Errorf("refused = %d %v; want 502", a.status, a.err)
	}
}

func TestConfig(t *testing.T) {
	for _, address := range []string{"", "host", "unix:", "unix:relative", "host:"} {
		if _, err := New(Config{Address: address}); err == nil {
			t.Errorf("address %q is accepted", address)
		}
	}
	if _, err := New(Config{Address: "h:1", ReadTimeout: -1}); err == nil {
		t.Error("a negative timeout is accepted")
	}
	for _, address := range []string{"h:1", "[::1]:3031", "unix:/x", "/x"} {
		if _, err := New(Config{Address: address}); err != nil {
			t.Errorf("address %q: %v", address, err)
		}
	}
}

// TestConcurrent mixes calls that end in all ways, to find memory that is used twice.
func TestConcurrent(t *testing.T) {
	address := newServer(t, func(p *peer) {
		body := p.readRequest()
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Q: %s\r\n\r\n%s%s", p.vars["QUERY_STRING"], p.vars["QUERY_STRING"], body))
	})
	c := newClient(t, address, buffering)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				q := fmt.Sprintf("%d-%d", g, i)
				body := strings.Repeat(q, i*500)
				a := do(t, c, request("POST", "/?"+q, body))
				if a.fields != "X-Q="+q || a.body != q+body {
					t.Errorf("answer to %s is %q, %d bytes, %v, %v", q, a.fields, len(a.body), a.err, a.broken)
				}
			}
		})
	}
	wg.Wait()
}
