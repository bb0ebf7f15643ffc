package e2e

import (
	"bufio"
	"bytes"
	"context"
	ctls "crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	// length is what Content-Length said, -1 without one.
	length int64
	// cut is the error that ended the body early, if any.
	cut error
}

// address returns the value of an address variable such as "$HTTP".
func (s *server) address(name string) string { return s.vars.value(name) }

func (s *server) url(path string) string { return "http://" + s.address("$HTTP") + path }

func (s *server) tlsURL(path string) string { return "https://" + s.address("$TLS") + path }

// client is an http.Client of its own for each test: no redirects, no compression, no proxy.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &ctls.Config{InsecureSkipVerify: true},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       2 * patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get is one GET; the test fails when no response comes.
func (s *server) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.send("GET", path, nil, headers...)
}

// send is one request with headers as "Name: value". A body of nil is none; a body that
// is not a bytes or strings reader goes out chunked.
func (s *server) send(method, path string, body io.Reader, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url(path), body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	c := client(s.t)
	defer c.CloseIdleConnections()
	return roundTrip(s.t, c, req)
}

func roundTrip(t *testing.T, c *http.Client, req *http.Request) answer {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body), length: resp.ContentLength, cut: err}
}

// want fails the test unless the answer is complete and has this status and body.
func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body || a.cut != nil {
		t.Errorf("got %d %q (cut: %v); want %d %q", a.status, short(a.body), a.cut, status, short(body))
	}
}

// wantStatus fails the test unless the answer is complete and has this status.
func (a answer) wantStatus(t *testing.T, status int) {
	t.Helper()
	if a.status != status || a.cut != nil {
		t.Errorf("got %d %q (cut: %v); want %d", a.status, short(a.body), a.cut, status)
	}
}

// wantHeader fails the test unless the header has exactly these values.
func (a answer) wantHeader(t *testing.T, name string, values ...string) {
	t.Helper()
	got := a.header.Values(name)
	if strings.Join(got, "\x00") != strings.Join(values, "\x00") {
		t.Errorf("header %s: got %q; want %q", name, got, values)
	}
}

// decode parses a JSON body.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var value T
	if a.status != http.StatusOK {
		t.Fatalf("got %d %q; want 200 with JSON", a.status, short(a.body))
	}
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("cannot read JSON %q: %v", short(a.body), err)
	}
	return value
}

func short(text string) string {
	if len(text) > 400 {
		return text[:400] + "…"
	}
	return text
}

// rawConn is a bare connection with a deadline, for requests no HTTP client would write.
type rawConn struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (s *server) dial() *rawConn {
	s.t.Helper()
	return dial(s.t, s.address("$HTTP"))
}

// dialTLS is dial with TLS around it.
func (s *server) dialTLS() *rawConn {
	s.t.Helper()
	c := dial(s.t, s.address("$TLS"))
	c.Conn = ctls.Client(c.Conn, &ctls.Config{InsecureSkipVerify: true})
	c.r = bufio.NewReader(c.Conn)
	return c
}

func dial(t *testing.T, address string) *rawConn {
	t.Helper()
	return dialWith(t, net.Dialer{Timeout: patience}, address)
}

func dialWith(t *testing.T, dialer net.Dialer, address string) *rawConn {
	t.Helper()
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return &rawConn{t: t, Conn: conn, r: bufio.NewReader(conn)}
}

func (c *rawConn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Fatalf("cannot send %q: %v", short(text), err)
	}
}

// read reads one response to its end; the method says whether a body is to be expected.
func (c *rawConn) read(method string) answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("cannot read a response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body), length: resp.ContentLength, cut: err}
}

// readUntil reads until the bytes seen end with text, and returns them.
func (c *rawConn) readUntil(text string) string {
	c.t.Helper()
	var seen []byte
	for !bytes.HasSuffix(seen, []byte(text)) {
		b, err := c.r.ReadByte()
		if err != nil {
			c.t.Fatalf("got %q before %v; want %q at the end", seen, err, text)
		}
		seen = append(seen, b)
	}
	return string(seen)
}

// rest reads until the server closes the connection.
func (c *rawConn) rest() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Fatalf("got %d bytes, %q, before %v; want the connection closed", len(rest), short(string(rest)), err)
	}
	return string(rest)
}

// exchange sends one raw request and returns all that comes until the connection is closed.
func (s *server) exchange(request string) string {
	s.t.Helper()
	c := s.dial()
	c.send(request)
	return c.rest()
}

// getTLS is one GET over TLS, for the host localhost.
func (s *server) getTLS(path string) answer {
	s.t.Helper()
	address := strings.Replace(s.address("$TLS"), "127.0.0.1", "localhost", 1)
	req, err := http.NewRequest("GET", "https://"+address+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := client(s.t)
	defer c.CloseIdleConnections()
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.address("$TLS"))
	}
	return roundTrip(s.t, c, req)
}

// try is a GET that may fail, as while a front is being replaced.
func (s *server) try(path string) (answer, error) {
	c := client(s.t)
	defer c.CloseIdleConnections()
	resp, err := c.Get(s.url(path))
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}, err
}
