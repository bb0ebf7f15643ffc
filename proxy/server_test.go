package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// testServer is a Server on a free port of the loopback interface, with one handler for everything.
type testServer struct {
	*Server
	t    *testing.T
	addr string
}

// startServer starts a server; edit may change the settings of [http].
func startServer(t *testing.T, h exchange.Handler, edit func(*config.HTTP)) *testServer {
	t.Helper()
	return startLogging(t, h, edit, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel))
}

// startLogging is startServer with a log.
func startLogging(t *testing.T, h exchange.Handler, edit func(*config.HTTP), log zerolog.Logger) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := config.ParseListen(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.DefaultServer()
	spec.DefaultServer = true
	cfg.Listen = []config.Listen{spec}
	cfg.ServerName = []string{""}
	cfg.HTTP = config.Default().HTTP
	if edit != nil {
		edit(&cfg.HTTP)
	}
	cfg.Locations = []*config.Location{{Path: config.LocationPath{Path: "/"}, Pass: config.Pass{Kind: config.PassApp, Target: "test"}, HTTP: cfg.HTTP}}
	router, err := NewRouter([]*config.Server{cfg}, func(*config.Server, *config.Location) (exchange.Handler, error) { return h, nil })
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(&Settings{Router: router, WorkerConnections: 1000}, nil, log)
	if err := srv.Listen(map[config.Listen]net.Listener{spec: ln}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(srv) })
	return &testServer{srv, t, ln.Addr().String()}
}

// shutdown ends a server without waiting for its clients.
func shutdown(srv *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	srv.Shutdown(ctx)
}

func (s *testServer) dial() *testConn {
	s.t.Helper()
	nc, err := net.Dial("tcp4", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(15 * time.Second))
	return &testConn{nc, s.t, bufio.NewReader(nc)}
}

type testConn struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
}

func (c *testConn) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one response to a request with that method.
func (c *testConn) receive(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, string(body) + "!" + err.Error()
	}
	return resp, string(body)
}

// ended fails the test unless the server closes the connection without another byte.
func (c *testConn) ended() {
	c.t.Helper()
	if b, err := io.ReadAll(c.br); len(b) > 0 || err != nil {
		c.t.Errorf("the connection went on with %q, %v; want its end", b, err)
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// echo answers with the method, path and body of the request.
func echo(ex *exchange.Exchange) error {
	var body []byte
	if ex.Body != nil {
		var err error
		if body, err = io.ReadAll(ex.Body); err != nil {
			return err
		}
	}
	text(ex, fmt.Sprintf("%s %s %s", ex.Method, ex.Path, body))
	return nil
}

func text(ex *exchange.Exchange, s string) {
	r := &ex.Response
	r.Status, r.Body, r.Length = 200, []byte(s), int64(len(s))
	r.Add("Content-Type", "text/plain")
}

// pieces is a stream of the given pieces, one per value received.
type pieces struct {
	c      chan string
	failed error
}

func (p *pieces) Next() ([]byte, bool, error) {
	s, ok := <-p.c
	if !ok {
		if p.failed != nil {
			return nil, false, p.failed
		}
		return nil, false, io.EOF
	}
	return []byte(s), false, nil
}

func TestKeepAliveAndPipelining(t *testing.T) {
	s := startServer(t, echo, nil)
	c := s.dial()
	for i := range 3 {
		c.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
		if resp, body := c.receive("GET"); resp.StatusCode != 200 || body != fmt.Sprintf("GET /%d ", i) {
			t.Fatalf("got %d %q", resp.StatusCode, body)
		}
	}
	c.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n" +
		"GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"POST /a abc", "POST /b de", "GET /c "} {
		if _, body := c.receive("POST"); body != want {
			t.Fatalf("got %q; want %q", body, want)
		}
	}
	c.ended()
}

func TestServerTokens(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := startServer(t, echo, func(h *config.HTTP) { h.ServerTokens = on })
		settings := *s.settings.Load()
		settings.Version = "1.2"
		s.Configure(&settings)
		c := s.dial()
		c.send(get)
		want := "hognose"
		if on {
			want = "hognose/1.2"
		}
		if resp, _ := c.receive("GET"); resp.Header.Get("Server") != want {
			t.Errorf("server_tokens = %v: Server is %q; want %q", on, resp.Header.Get("Server"), want)
		}
	}
}

func TestRequestInPieces(t *testing.T) {
	s := startServer(t, echo, nil)
	c := s.dial()
	for _, b := range "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" {
		c.send(string(b))
	}
	if _, body := c.receive("POST"); body != "POST /slow body" {
		t.Fatalf("got %q", body)
	}
}

func TestLargeHead(t *testing.T) {
	s := startServer(t, echo, nil)
	c := s.dial()
	c.send("GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 20<<10) + "\r\n\r\n")
	if resp, _ := c.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("a head of 20 KiB got %d", resp.StatusCode)
	}
	c.send("GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 40<<10) + "\r\n\r\n")
	if resp, _ := c.receive("GET"); resp.StatusCode != 431 {
		t.Errorf("a head of 40 KiB got %d; want 431", resp.StatusCode)
	}
}

func TestHTTP10(t *testing.T) {
	stream := func(ex *exchange.Exchange) error {
		p := &pieces{c: make(chan string, 2)}
		p.c <- "one"
		p.c <- "two"
		close(p.c)
		ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, -1, p
		return nil
	}
	c := startServer(t, stream, nil).dial()
	c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	resp, body := c.receive("GET")
	if len(resp.TransferEncoding) > 0 || body != "onetwo" {
		t.Errorf("got %v %q; want the body delimited by the end of the connection", resp.TransferEncoding, body)
	}
	c = startServer(t, echo, nil).dial()
	c.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n")
	if resp, _ := c.receive("GET"); resp.Header.Get("Connection") != "keep-alive" {
		t.Errorf("Connection is %q; want keep-alive", resp.Header.Get("Connection"))
	}
	c.receive("GET")
	c.ended()
}

func TestStream(t *testing.T) {
	p := &pieces{c: make(chan string)}
	c := startServer(t, func(ex *exchange.Exchange) error {
		ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, -1, p
		return nil
	}, nil).dial()
	c.send(get)
	p.c <- "first"
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "first" {
		t.Fatalf("got %q, %v before the second piece was made", b, err)
	}
	large := strings.Repeat("x", 100<<10)
	p.c <- large
	close(p.c)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != large {
		t.Fatalf("got %d bytes, %v; want %d", len(rest), err, len(large))
	}
}

func TestBrokenStreams(t *testing.T) {
	f := func(name string, length int64, failed error) {
		t.Helper()
		c := startServer(t, func(ex *exchange.Exchange) error {
			p := &pieces{c: make(chan string, 1), failed: failed}
			p.c <- "12345"
			close(p.c)
			ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, length, p
			return nil
		}, nil).dial()
		c.send(get + get)
		if _, body := c.receive("GET"); !strings.Contains(body, "!") {
			t.Errorf("%s: the client saw %q as a whole response", name, body)
		}
		c.ended()
	}
	f("too short", 10, nil)
	f("fails with a length", 10, errors.New("boom"))
	f("fails in chunks", -1, errors.New("boom"))
}

func TestTooLongStream(t *testing.T) {
	c := startServer(t, func(ex *exchange.Exchange) error {
		p := &pieces{c: make(chan string, 2)}
		p.c <- "12345"
		p.c <- "67890"
		close(p.c)
		ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, 7, p
		return nil
	}, nil).dial()
	for range 2 {
		c.send(get)
		if _, body := c.receive("GET"); body != "1234567" {
			t.Fatalf("got %q; want what the Content-Length says", body)
		}
	}
}

func TestBodilessResponses(t *testing.T) {
	c := startServer(t, func(ex *exchange.Exchange) error {
		text(ex, "body")
		fmt.Sscanf(string(ex.Path), "/%d", &ex.Response.Status)
		return nil
	}, nil).dial()
	c.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, body := c.receive("HEAD"); body != "" || resp.ContentLength != 4 {
		t.Errorf("HEAD got %q and Content-Length %d", body, resp.ContentLength)
	}
	for _, status := range []int{204, 304} {
		c.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", status))
		if resp, body := c.receive("GET"); body != "" || resp.StatusCode != status || resp.StatusCode == 204 && resp.Header.Get("Content-Length") != "" {
			t.Errorf("%d got body %q and %v", resp.StatusCode, body, resp.Header)
		}
	}
}

func TestFileResponse(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() }) // after the server has stopped
	c := startServer(t, func(ex *exchange.Exchange) error {
		part := &exchange.FileRange{File: file}
		fmt.Sscanf(string(ex.Path), "/%d/%d", &part.Offset, &part.N)
		ex.Response.Status, ex.Response.File = 200, part
		return nil
	}, nil).dial()
	ask := func(part exchange.FileRange) {
		c.send(fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", part.Offset, part.N))
	}
	for _, part := range []exchange.FileRange{{N: 0}, {Offset: 3, N: 10}, {Offset: 5, N: 40 << 10}, {N: 1 << 20}} {
		ask(part)
		if _, body := c.receive("GET"); body != string(content[part.Offset:part.Offset+part.N]) {
			t.Errorf("range %d+%d came with %d bytes", part.Offset, part.N, len(body))
		}
	}
	ask(exchange.FileRange{Offset: 1 << 20, N: 1 << 20})
	if _, body := c.receive("GET"); !strings.Contains(body, "!") {
		t.Errorf("a file that became shorter came as a whole response of %d bytes", len(body))
	}
}

func TestContinue(t *testing.T) {
	s := startServer(t, func(ex *exchange.Exchange) error {
		if string(ex.Path) == "/refuse" {
			return exchange.Errorf(403, "no")
		}
		return echo(ex)
	}, nil)
	c := s.dial()
	c.send("POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if line, err := c.br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v; want 100", line, err)
	}
	c.br.ReadString('\n')
	c.send("ok")
	if _, body := c.receive("POST"); body != "POST /take ok" {
		t.Errorf("got %q", body)
	}
	// A handler that answers without reading: no 100, and what the client may have sent is not a request.
	c.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if resp, _ := c.receive("POST"); resp.StatusCode != 403 || !resp.Close {
		t.Errorf("got %d, close %v; want 403 and close", resp.StatusCode, resp.Close)
	}
	c.ended()
}

// TestUnreadBody: a body that no handler read never becomes a request.
func TestUnreadBody(t *testing.T) {
	s := startServer(t, func(ex *exchange.Exchange) error { text(ex, string(ex.Path)); return nil }, nil)
	c := s.dial()
	c.send("POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n\r\n" + get)
	if _, body := c.receive("POST"); body != "/whole" {
		t.Fatalf("got %q", body)
	}
	if _, body := c.receive("GET"); body != "/" {
		t.Fatalf("after an unread body that had arrived, got %q; want the next request", body)
	}
	c.send("POST /rest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n")
	if resp, body := c.receive("POST"); body != "/rest" || !resp.Close {
		t.Errorf("got %q, close %v; want close", body, resp.Close)
	}
	c.ended()
}

func TestBodyLimits(t *testing.T) {
	s := startServer(t, echo, func(h *config.HTTP) { h.ClientMaxBodySize = 10 })
	f := func(name, request string, want int) {
		t.Helper()
		c := s.dial()
		c.send(request)
		if resp, _ := c.receive("POST"); resp.StatusCode != want {
			t.Errorf("%s: got %d; want %d", name, resp.StatusCode, want)
		}
	}
	f("at the limit", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", 200)
	f("above it", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n01234567890", 413)
	f("chunked at the limit", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", 200)
	f("chunked above it", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", 413)
	f("bad chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400)
}

func TestTimeouts(t *testing.T) {
	s := startServer(t, echo, func(h *config.HTTP) {
		h.ClientHeaderTimeout, h.ClientBodyTimeout, h.KeepaliveTimeout = timeout, timeout, timeout
	})
	f := func(name, request string, want int) {
		t.Helper()
		c := s.dial()
		c.send(request)
		if want == 0 {
			c.ended()
			return
		}
		if resp, _ := c.receive("POST"); resp.StatusCode != want || !resp.Close {
			t.Errorf("%s: got %d, close %v; want %d and close", name, resp.StatusCode, resp.Close, want)
		}
	}
	f("silence", "", 0)
	f("half a head", "GET / HTTP/1.1\r\nHost", 408)
	f("half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", 408)
	c := s.dial()
	c.send(get)
	c.receive("GET")
	c.ended() // keepalive_timeout
}

func TestKeepaliveRequests(t *testing.T) {
	c := startServer(t, echo, func(h *config.HTTP) { h.KeepaliveRequests = 2 }).dial()
	c.send(get + get + get)
	if resp, _ := c.receive("GET"); resp.Close {
		t.Error("closed after the first of two requests")
	}
	if resp, _ := c.receive("GET"); !resp.Close {
		t.Error("not closed after the second of two requests")
	}
	c.ended()
}

func TestPanic(t *testing.T) {
	s := startServer(t, func(ex *exchange.Exchange) error {
		if string(ex.Path) == "/panic" {
			panic("boom")
		}
		return echo(ex)
	}, nil)
	c := s.dial()
	c.send("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, _ := c.receive("GET"); resp.StatusCode != 500 {
		t.Errorf("got %d; want 500", resp.StatusCode)
	}
	c.ended()
	c = s.dial()
	c.send(get)
	if resp, _ := c.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("after a panic the server answers %d", resp.StatusCode)
	}
}

func TestShutdown(t *testing.T) {
	started, finish := make(chan bool), make(chan bool)
	s := startServer(t, func(ex *exchange.Exchange) error {
		if string(ex.Path) == "/slow" {
			started <- true
			<-finish
		}
		return echo(ex)
	}, nil)
	idle, busy := s.dial(), s.dial()
	idle.send(get)
	idle.receive("GET")
	busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.ended()
	if nc, err := net.Dial("tcp4", s.addr); err == nil {
		nc.Close()
		t.Error("a stopping server accepts connections")
	}
	close(finish)
	if resp, body := busy.receive("GET"); resp.StatusCode != 200 || body != "GET /slow " || !resp.Close {
		t.Errorf("the busy connection got %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownDeadline(t *testing.T) {
	p := &pieces{c: make(chan string, 1)}
	s := startServer(t, func(ex *exchange.Exchange) error {
		ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, -1, p
		return nil
	}, nil)
	c := s.dial()
	c.send(get)
	p.c <- "x"
	if _, err := http.ReadResponse(c.br, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	go func() { <-ctx.Done(); close(p.c) }()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all went well")
	}
}

// TestShutdownTellsHandlers: a handler that waits for something else hears that its connection was cut.
func TestShutdownTellsHandlers(t *testing.T) {
	started := make(chan bool)
	s := startServer(t, func(ex *exchange.Exchange) error {
		close(started)
		for end := time.Now().Add(10 * time.Second); !ex.Gone(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("nobody told the handler")
				break
			}
		}
		return exchange.Errorf(exchange.ClientClosed, "cut")
	}, nil)
	s.dial().send(get)
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all went well")
	}
}

func TestClientLeaves(t *testing.T) {
	gone := make(chan bool)
	s := startServer(t, func(ex *exchange.Exchange) error {
		if ex.Gone() {
			t.Error("the client is gone before it left")
		}
		gone <- true
		for end := time.Now().Add(10 * time.Second); !ex.Gone(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("nobody noticed that the client left")
				break
			}
		}
		gone <- true
		return exchange.Errorf(exchange.ClientClosed, "left")
	}, nil)
	c := s.dial()
	c.send(get)
	<-gone
	c.Close()
	<-gone
}

func TestManyConnections(t *testing.T) {
	s := startServer(t, echo, nil)
	var conns []*testConn
	for range 200 {
		c := s.dial()
		c.send(get)
		c.receive("GET")
		conns = append(conns, c)
	}
	if n := s.Connections(); n != len(conns) {
		t.Errorf("%d connections; want %d", n, len(conns))
	}
	for _, c := range conns {
		c.send(get)
		if resp, _ := c.receive("GET"); resp.StatusCode != 200 {
			t.Fatalf("got %d", resp.StatusCode)
		}
		c.Close()
	}
	for end := time.Now().Add(10 * time.Second); s.Connections() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", s.Connections())
		}
	}
}
