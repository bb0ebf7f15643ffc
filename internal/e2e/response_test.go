package e2e

import (
	"strings"
	"testing"
)

// responses starts the application with one page for each way to answer.
func responses(t *testing.T) *server {
	t.Helper()
	v := newVariables(t)
	v.writeFile("file.bin", fileContent)
	// The working directory is the scratch directory, where file.bin is.
	config := site{module: "responses:app", app: `pythonpath = ["$APPS"]`, server: `certificate = { cert = "$CERT", key = "$KEY" }`}.String()
	config = strings.Replace(config, `listen = ["$HTTP"]`, `listen = ["$HTTP", "$TLS ssl"]`, 1)
	config = strings.Replace(config, `chdir = "$APPS"`, `chdir = "$DIR"`, 1)
	return startWith(t, v, config)
}

var fileContent = strings.Repeat("0123456789abcdef", 20000)

// closed counts how often the application named it in the file of closed bodies.
func (s *server) closed(name string) int {
	return strings.Count("\n"+s.read("closed"), "\n"+name+"\n")
}

// TestResponses goes through every kind of body and every way to start a response.
func TestResponses(t *testing.T) {
	s := responses(t)
	f := func(path string, status int, body string) {
		t.Helper()
		s.t = t
		s.get(path).want(t, status, body)
	}
	f("/list", 200, "one two")
	f("/tuple", 200, "tuple")
	f("/generator", 200, "generator")
	f("/old-sequence", 200, "old sequence")
	f("/empty-list", 200, "")
	f("/empty-pieces", 200, "")
	f("/late-start", 200, "late")
	f("/write", 200, "written")
	f("/write-and-iterate", 200, "written, then iterated")
	f("/replaced-before", 503, "error page")
	f("/no-content", 204, "")
	f("/not-modified", 304, "")
	f("/own-reason", 299, "special")
	f("/many?10000", 200, counted(10000))
	f("/big?3000000", 200, strings.Repeat("b", 3000000))
}

func counted(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(itoa(i))
		b.WriteByte(',')
	}
	return b.String()
}

// TestResponseHeaders: order within a name, case of names, latin-1 values and the reason phrase reach the client as the application wrote them.
func TestResponseHeaders(t *testing.T) {
	s := responses(t)
	raw := s.exchange("GET /headers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	for _, line := range []string{"Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/\r\n", "x-CASE-Kept: MiXed\r\n", "X-Latin: caf\xe9\r\n", "X-Empty:"} {
		if !strings.Contains(raw, line) {
			t.Errorf("the response lacks %q:\n%q", line, raw)
		}
	}
	a := s.get("/headers")
	a.want(t, 200, "headers")
	if len(a.header.Values("Date")) != 1 {
		t.Errorf("Date: got %q; want one", a.header.Values("Date"))
	}
	raw = s.exchange("GET /own-reason HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(raw, "HTTP/1.1 299 Rather Special\r\n") {
		t.Errorf("got status line %q; want the application's reason", strings.SplitN(raw, "\r\n", 2)[0])
	}
	s.get("/replaced-before").wantHeader(t, "X-First")
	s.get("/replaced-before").wantHeader(t, "X-Second", "yes")
	s.get("/not-modified").wantHeader(t, "ETag", `"tag"`)
}

// TestHead: HEAD has the headers of GET and no body, whatever the application yields; close() is called all the same.
func TestHead(t *testing.T) {
	s := responses(t)
	// All on one connection: a body sent by mistake would be read as the next response.
	c := s.dial()
	for _, path := range []string{"/sized", "/list", "/generator", "/file", "/big?100000", "/sized"} {
		c.send("HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		a := c.read("HEAD")
		a.want(t, 200, "")
		if path == "/sized" && a.length != 5 {
			t.Errorf("HEAD /sized: Content-Length %d; want 5", a.length)
		}
	}
	eventually(t, "close() after HEAD", func() bool { return s.closed("sized") == 2 })
}

// TestNoBodyStatuses: what an application yields for 204 is dropped, and the connection stays in step.
func TestNoBodyStatuses(t *testing.T) {
	s := responses(t)
	c := s.dial()
	c.send("GET /body-where-none-belongs HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.read("GET").want(t, 204, "")
	c.send("GET /list HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.read("GET").want(t, 200, "one two")
}

// TestApplicationErrors: each failure before the headers is a 500 with nothing of the application in it, and
// a traceback in the log; the worker lives on.
func TestApplicationErrors(t *testing.T) {
	s := responses(t)
	before := pids(s.workers("responses", 1))
	f := func(path, logged string) {
		t.Helper()
		s.t = t
		a := s.get(path)
		if a.status < 500 || strings.Contains(a.body, "Traceback") || strings.Contains(a.body, "never seen") || a.header.Get("X-Injected") != "" {
			t.Errorf("%s: got %d %q; want a 500 without details", path, a.status, short(a.body))
		}
		if !within(patience, func() bool { return s.log.contains(logged) }) {
			t.Errorf("%s: the log lacks %q", path, logged)
		}
		s.get("/list").want(t, 200, "one two")
	}
	f("/fails", "RuntimeError: the application fails")
	f("/fails-started", "RuntimeError: the application fails after start_response")
	f("/fails-first", "RuntimeError: the body of fails-first fails")
	f("/no-such-page", "KeyError: '/no-such-page'")
	f("/started-twice", "started_twice")
	f("/not-started", "start_response")
	f("/not-iterable", "iter")
	f("/none", "None")
	f("/text-piece", "str")
	f("/bad-status-text", "status")
	f("/bad-status-low", "status")
	f("/bad-status-switch", "status")
	f("/bad-status-newline", "status")
	f("/bad-status-bytes", "status")
	f("/bad-header-newline", "header")
	f("/bad-header-name", "header")
	f("/bad-header-empty-name", "header")
	f("/bad-header-nul", "header")
	f("/bad-header-bytes", "header")
	f("/bad-header-not-latin", "header")
	f("/bad-header-no-pair", "header")
	f("/bad-header-length", "Content-Length")
	f("/bad-headers-no-list", "header")
	if !s.log.contains("Traceback (most recent call last)") || !s.log.contains("responses.py") {
		t.Errorf("the log lacks a traceback with the application's file")
	}
	if after := pids(s.workers("responses", 1)); !sameSet(before, after) {
		t.Errorf("errors of the application replaced its worker: %v, then %v", before, after)
	}
	if n := s.closed("fails-first"); n != 1 {
		t.Errorf("close() after an error in the first piece: called %d times; want 1", n)
	}
}

func sameSet(a, b map[int]bool) bool {
	for key := range a {
		if !b[key] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestSystemExit: an application that calls sys.exit() has failed; whether its worker goes is its own affair, the site stays.
func TestSystemExit(t *testing.T) {
	s := responses(t)
	if a := s.get("/exits"); a.status < 500 {
		t.Errorf("got %d %q; want a 5xx", a.status, a.body)
	}
	s.get("/list").want(t, 200, "one two")
}

// TestErrorsAfterTheStart: once bytes are out an error can only cut the response, never make it look complete.
func TestErrorsAfterTheStart(t *testing.T) {
	s := responses(t)
	f := func(path string) {
		t.Helper()
		s.t = t
		a := s.get(path)
		if a.status < 500 && a.cut == nil {
			t.Errorf("%s: got a complete %d %q; want it cut short or a 5xx", path, a.status, a.body)
		}
		if strings.Contains(a.body, "never seen") {
			t.Errorf("%s: got %q from after the error", path, a.body)
		}
		s.get("/list").want(t, 200, "one two")
	}
	f("/fails-later")
	f("/replaced-after")
	f("/too-short")
	if got := s.read("raised"); got != "after the headers\n" {
		t.Errorf("start_response raised %q; want the error it was given", got)
	}
	eventually(t, "close() after the errors", func() bool { return s.closed("fails-later") == 1 && s.closed("too-short") == 1 })
}

// TestContentLengthHolds: bytes beyond Content-Length never reach the client.
func TestContentLengthHolds(t *testing.T) {
	s := responses(t)
	c := s.dial()
	for _, path := range []string{"/too-long", "/too-long-piece"} {
		c.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		a := c.read("GET")
		if a.status < 500 {
			a.want(t, 200, "long")
		}
		if a.header.Get("Connection") == "close" {
			c = s.dial()
		}
	}
	c.send("GET /list HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.read("GET").want(t, 200, "one two")
	eventually(t, "close() after too much", func() bool { return s.closed("too-long") == 1 })
}

// TestClose: close() is called once for each response, also when it fails itself.
func TestClose(t *testing.T) {
	s := responses(t)
	s.get("/closes").want(t, 200, "closed")
	eventually(t, "close()", func() bool { return s.closed("closes") == 1 })
	if a := s.get("/close-fails"); a.status == 200 && a.body != "body" {
		t.Errorf("got %d %q; want the body", a.status, a.body)
	}
	eventually(t, "close() that fails", func() bool { return s.closed("close-fails") == 1 })
	eventually(t, "the failure is logged", func() bool { return s.log.contains("RuntimeError: close fails") })
	s.get("/list").want(t, 200, "one two")
	if n := s.closed("closes"); n != 1 {
		t.Errorf("close() was called %d times; want once", n)
	}
}

// TestCloseWhenTheClientLeaves: an endless response ends with its client, close() is called, the worker is free again.
func TestCloseWhenTheClientLeaves(t *testing.T) {
	s := responses(t)
	c := s.dial()
	c.send("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
	s.await("endless-started")
	c.readUntil("xxxx")
	c.Close()
	eventually(t, "close() of the endless body", func() bool { return s.closed("endless") == 1 })
	s.get("/list").want(t, 200, "one two")
}

// TestStreaming: what a generator yields, or write() is given, is with the client before the next
// piece exists: with and without a length, to an old client, and over TLS.
func TestStreaming(t *testing.T) {
	s := responses(t)
	f := func(name string, c *rawConn, path, version string) {
		t.Helper()
		c.send("GET " + path + "?" + name + " HTTP/" + version + "\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		seen := c.readUntil("first")
		s.give(name)
		seen += c.rest()
		if !strings.HasPrefix(seen, "HTTP/1.1 200 OK\r\n") || !strings.Contains(seen, "second") {
			t.Errorf("%s: got %q; want 200 with first and second", name, seen)
		}
		if chunked := strings.Contains(seen, "chunked"); chunked != (version == "1.1" && path != "/streams-sized") {
			t.Errorf("%s: chunked %t: %q", name, chunked, seen)
		}
	}
	f("generator", s.dial(), "/streams", "1.1")
	f("sized", s.dial(), "/streams-sized", "1.1")
	f("write", s.dial(), "/write-streams", "1.1")
	f("old", s.dial(), "/streams", "1.0")
	f("tls", s.dialTLS(), "/streams", "1.1")
	f("sized-tls", s.dialTLS(), "/streams-sized", "1.1")
}

// TestFileWrapper: a file goes out from where it stands, as long as Content-Length says, and is closed.
func TestFileWrapper(t *testing.T) {
	s := responses(t)
	f := func(path, body string) answer {
		t.Helper()
		s.t = t
		a := s.get(path)
		a.want(t, 200, body)
		return a
	}
	if a := f("/file", fileContent); a.length != int64(len(fileContent)) {
		t.Errorf("Content-Length: got %d; want %d", a.length, len(fileContent))
	}
	eventually(t, "the file is closed", func() bool { return s.closed("file") == 1 })
	f("/file-without-length", fileContent)
	f("/file-from-offset", fileContent[1000:])
	f("/file-with-less", fileContent[:100])
	f("/file-in-memory", strings.Repeat("m", 100000))
	f("/file-iterated", fileContent)
}

// TestWSGIErrors: what the application writes to wsgi.errors is in the log.
func TestWSGIErrors(t *testing.T) {
	s := responses(t)
	s.get("/errors").want(t, 200, "errors")
	eventually(t, "wsgi.errors is in the log", func() bool {
		return s.log.contains("written to wsgi.errors: caf") && s.log.contains("another line")
	})
}
