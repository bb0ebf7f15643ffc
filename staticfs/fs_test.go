package staticfs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hognose/internal/exchange"
)

// site is a directory of files and an FS over it, with a clock that the test moves.
type site struct {
	*testing.T
	dir string
	fs  *FS
	now *atomic.Int64
}

// newSite writes files (name to content; a name that ends in a slash is a directory) and serves them.
func newSite(t *testing.T, files map[string]string, change ...func(*Config)) *site {
	t.Helper()
	s := &site{T: t, dir: t.TempDir()}
	for name, content := range files {
		s.write(name, content)
	}
	cfg := Config{Root: s.dir, Index: []string{"index.html"}}
	for _, f := range change {
		f(&cfg)
	}
	s.serve(cfg)
	return s
}

func (s *site) serve(cfg Config) {
	s.Helper()
	f, err := New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.fs = f
	s.now = stopClock(f.cache)
	s.Cleanup(f.cache.Close)
}

// stopClock makes the cache's clock stand still until the test adds to it.
func stopClock(c *Cache) *atomic.Int64 {
	now := new(atomic.Int64)
	c.clock = func() time.Duration { return time.Duration(now.Load()) }
	return now
}

// pass lets time pass.
func (s *site) pass(d time.Duration) { s.now.Add(int64(d)) }

func (s *site) write(name, content string) {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if strings.HasSuffix(name, "/") {
		must(s, os.MkdirAll(path, 0o755))
		return
	}
	must(s, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s, os.WriteFile(path, []byte(content), 0o644))
	// Old enough to be settled, so that the tests meet the usual case.
	must(s, os.Chtimes(path, time.Time{}, time.Unix(1700000000, 0)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// result is an answered exchange.
type result struct {
	status int
	body   string
	length int64
	err    error
	fields map[string]string
}

// request builds an exchange as the guard would for a target without escapes.
func request(method, target string, fields ...string) *exchange.Exchange {
	path, query, _ := strings.Cut(target, "?")
	ex := &exchange.Exchange{Method: []byte(method), Target: []byte(target), Path: []byte(path), Query: []byte(query)}
	for i := 0; i < len(fields); i += 2 {
		ex.Fields = append(ex.Fields, exchange.Field{Name: []byte(fields[i]), Value: []byte(fields[i+1])})
	}
	return ex
}

// do serves ex, reads the body and releases it.
func (s *site) do(ex *exchange.Exchange) result {
	s.Helper()
	r := result{fields: map[string]string{}}
	if r.err = s.fs.Serve(ex); r.err != nil {
		r.status = exchange.StatusOf(r.err)
		return r
	}
	resp := &ex.Response
	body, err := readBody(resp)
	must(s, err)
	must(s, resp.Release())
	r.status, r.length, r.body = resp.Status, resp.Length, string(body)
	if !ex.IsHead() && r.length != int64(len(body)) {
		s.Errorf("%s %s: Length is %d, the body has %d bytes", ex.Method, ex.Target, r.length, len(body))
	}
	for _, f := range resp.Fields {
		if _, dup := r.fields[string(f.Name)]; dup {
			s.Errorf("%s %s: field %q comes twice", ex.Method, ex.Target, f.Name)
		}
		r.fields[string(f.Name)] = string(f.Value)
	}
	return r
}

func (s *site) get(target string, fields ...string) result {
	s.Helper()
	return s.do(request("GET", target, fields...))
}

func readBody(r *exchange.Response) ([]byte, error) {
	switch {
	case r.File != nil:
		return io.ReadAll(io.NewSectionReader(r.File.File, r.File.Offset, r.File.N))
	case r.Stream == nil:
		return r.Body, nil
	}
	var body []byte
	for {
		p, _, err := r.Stream.Next()
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		body = append(body, p...)
	}
}

func TestServe(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 4096)
	s := newSite(t, map[string]string{
		"index.html":                  "home",
		"app.css":                     "body{}",
		"large.bin":                   large,
		"empty.txt":                   "",
		"docs/index.html":             "docs",
		"bare/":                       "",
		"a b;c\\d.txt":                "odd",
		".git/config":                 "secret",
		"x/.env":                      "secret",
		".well-known/security.txt":    "contact",
		".well-known/.hidden":         "secret",
		"sub/.well-known/x":           "secret",
		"..data/x":                    "secret",
		"indexdir/index.html/decoy":   "",
		"file.txt":                    "text",
		"caf\xc3\xa9.txt":             "cafe",
		"upper/IMAGE.PNG":             "png",
		"no-extension":                "?",
		"dir.css/no-extension-either": "?",
	})
	f := func(target string, status int, body string) {
		t.Helper()
		for range 2 { // the second time from the cache
			if r := s.get(target); r.status != status || r.body != body {
				t.Errorf("GET %s = %d %.40q %v; want %d %.40q", target, r.status, r.body, r.err, status, body)
			}
		}
	}
	f("/", 200, "home")
	f("/index.html", 200, "home")
	f("/app.css", 200, "body{}")
	f("/app.css?v=2", 200, "body{}")
	f("/large.bin", 200, large)
	f("/empty.txt", 200, "")
	f("/docs/", 200, "docs")
	f("/a b;c\\d.txt", 200, "odd")
	f("/caf\xc3\xa9.txt", 200, "cafe")
	f("/.well-known/security.txt", 200, "contact")
	f("//app.css", 200, "body{}") // with merge_slashes off

	f("/missing", 404, "")
	f("/file.txt/", 404, "")
	f("/file.txt/x", 404, "")
	f("/missing/", 404, "")
	f("/.git/config", 404, "")
	f("/x/.env", 404, "")
	f("/.well-known/.hidden", 404, "")
	f("/sub/.well-known/x", 404, "")
	f("/..data/x", 404, "")
	f("/.", 404, "")
	f("/../etc/passwd", 404, "")
	f("/"+strings.Repeat("n", 300), 404, "")
	f("/nul\x00", 404, "")

	f("/bare/", 403, "")
	f("/indexdir/", 403, "")
}

func TestEncodedSlash(t *testing.T) {
	s := newSite(t, map[string]string{"a/b": "file", "a\\b": "odd"})
	f := func(target, path string, want int) {
		t.Helper()
		ex := request("GET", target)
		ex.Path = []byte(path)
		if r := s.do(ex); r.status != want {
			t.Errorf("GET %s = %d; want %d", target, r.status, want)
		}
	}
	f("/a%2Fb", "/a/b", 404)
	f("/a%2fb", "/a/b", 404)
	f("/a%5Cb", "/a\\b", 404)
	f("/%61/b", "/a/b", 200)
	f("/a/b?x=%2F", "/a/b", 200)
	f("/a/b?x=%2", "/a/b", 200)
}

func TestMethods(t *testing.T) {
	s := newSite(t, map[string]string{"a.txt": "hello", "d/": ""})
	for _, m := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get", "PROPFIND"} {
		r := s.do(request(m, "/a.txt"))
		if r.status != 405 || r.fields["Allow"] != "GET, HEAD" {
			t.Errorf("%s = %d, Allow %q; want 405, GET and HEAD", m, r.status, r.fields["Allow"])
		}
	}
	r := s.do(request("HEAD", "/a.txt", "Range", "bytes=0-1"))
	if r.status != 200 || r.body != "" || r.length != 5 || r.fields["Content-Type"] == "" {
		t.Errorf("HEAD = %+v; want 200, length 5, no body", r)
	}
	if r := s.do(request("HEAD", "/d")); r.status != 301 || r.body != "" {
		t.Errorf("HEAD of a directory = %+v; want 301, no body", r)
	}
	if r := s.do(request("HEAD", "/none")); r.status != 404 {
		t.Errorf("HEAD of nothing = %d; want 404", r.status)
	}
}

func TestAlias(t *testing.T) {
	files := map[string]string{"st/app.css": "css", "st/index.html": "index", "favicon.ico": "icon", "st2": "no"}
	f := func(location, alias, path string, status int, body string) {
		t.Helper()
		s := newSite(t, files)
		s.serve(Config{Alias: s.dir + alias, Prefix: location, Index: []string{"index.html"}})
		r := s.get(path)
		if r.status != status || r.body != body && status == 200 {
			t.Errorf("location %s alias %s: GET %s = %d %q; want %d %q", location, alias, path, r.status, r.body, status, body)
		}
	}
	f("/static/", "/st/", "/static/app.css", 200, "css")
	f("/static/", "/st/", "/static/", 200, "index")
	f("/static/", "/st/", "/static", 404, "")
	f("/static/", "/st/", "/static/.x", 404, "")
	f("/static", "/st", "/static/app.css", 200, "css")
	f("/static", "/st/", "/static/app.css", 200, "css")
	f("/static", "/st", "/static", 301, "")
	f("/static", "/st", "/static/", 200, "index")
	f("/static", "/st", "/static2", 404, "")
	f("/static", "/st", "/static..", 404, "")
	f("/static", "/st", "/static../favicon.ico", 404, "")
	f("/static", "/st", "/elsewhere", 404, "")
	f("/static", "/st", "", 404, "")
	f("/icon", "/favicon.ico", "/icon", 200, "icon")
	f("/icon", "/favicon.ico", "/icon/", 404, "")
	f("/icon", "/favicon.ico", "/icon/x", 404, "")
	f("/none", "/none", "/none", 404, "")
	f("/none", "/none", "/none/x", 404, "")
	f("/", "/st/", "/app.css", 200, "css")
}

func TestRedirect(t *testing.T) {
	s := newSite(t, map[string]string{"d/": "", "d d/": "", "evil.com/": "", "caf\xc3\xa9%/": "", "\\evil.com/": "", "a:b/": ""})
	f := func(path, query, want string) {
		t.Helper()
		ex := request("GET", path)
		ex.Query = []byte(query)
		r := s.do(ex)
		if r.status != 301 || r.fields["Location"] != want {
			t.Errorf("GET %q = %d to %q; want 301 to %q", path, r.status, r.fields["Location"], want)
		}
	}
	f("/d", "", "/d/")
	f("/d", "a=1&b=%20", "/d/?a=1&b=%20")
	f("/d", "a=\"<\xff>", "/d/?a=%22%3C%FF%3E")
	f("/d d", "", "/d%20d/")
	f("//evil.com", "", "/evil.com/")
	f("///evil.com", "", "/evil.com/")
	f("/\\evil.com", "", "/evil.com/")
	f("/caf\xc3\xa9%", "", "/caf%C3%A9%25/")
	f("/a:b", "", "/a:b/")
}

func TestFields(t *testing.T) {
	s := newSite(t, map[string]string{"a.js": "x()", "b.PNG": "p", "c": "?", "d.json": "{}", "e.html": "h", "f.css/g": "?",
		"h.wasm": "w", "i.svg": "s", "j.woff2": "f", "k.map": "{}", "l.tar.gz": "g", "m.mjs": "m", "n.unknown": "u"})
	f := func(name, want string) {
		t.Helper()
		if got := s.get(name).fields["Content-Type"]; got != want {
			t.Errorf("Content-Type of %s is %q; want %q", name, got, want)
		}
	}
	f("/a.js", "text/javascript; charset=utf-8")
	f("/m.mjs", "text/javascript; charset=utf-8")
	f("/b.PNG", "image/png")
	f("/c", "application/octet-stream")
	f("/n.unknown", "application/octet-stream")
	f("/d.json", "application/json")
	f("/k.map", "application/json")
	f("/e.html", "text/html; charset=utf-8")
	f("/f.css/g", "application/octet-stream")
	f("/h.wasm", "application/wasm")
	f("/i.svg", "image/svg+xml")
	f("/j.woff2", "font/woff2")
	f("/l.tar.gz", "application/gzip")

	r := s.get("/a.js")
	if got, want := r.fields["ETag"], `"6553f100-3"`; got != want {
		t.Errorf("ETag is %s; want %s, as nginx's", got, want)
	}
	if got, want := r.fields["Last-Modified"], "Tue, 14 Nov 2023 22:13:20 GMT"; got != want {
		t.Errorf("Last-Modified is %q; want %q", got, want)
	}
	if got := r.fields["Accept-Ranges"]; got != "bytes" {
		t.Errorf("Accept-Ranges is %q", got)
	}
}

func TestSpecialFiles(t *testing.T) {
	s := newSite(t, nil)
	must(t, syscall.Mkfifo(filepath.Join(s.dir, "fifo"), 0o644))
	if r := s.get("/fifo"); r.status != 404 {
		t.Errorf("GET of a FIFO = %d; want 404", r.status)
	}
	if os.Getuid() != 0 {
		s.write("closed.txt", "x")
		must(t, os.Chmod(filepath.Join(s.dir, "closed.txt"), 0))
		if r := s.get("/closed.txt"); r.status != 404 {
			t.Errorf("GET of an unreadable file = %d; want 404", r.status)
		}
	}
}

// TestResponseKeepsItsFields: the slice of Fields belongs to the connection and is written again for the next response.
func TestResponseKeepsItsFields(t *testing.T) {
	s := newSite(t, map[string]string{"a.txt": "a"})
	ex := request("GET", "/a.txt")
	must(t, s.fs.Serve(ex))
	ex.Response.Reset()
	for range 8 {
		ex.Response.Add("X", "overwritten")
	}
	if r := s.get("/a.txt"); r.fields["ETag"] != `"6553f100-1"` || r.fields["X"] != "" {
		t.Errorf("the next response has fields %q", r.fields)
	}
}

func TestConfig(t *testing.T) {
	f := func(cfg Config, want string) {
		t.Helper()
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v; want an error with %q", cfg, err, want)
		}
	}
	f(Config{}, "either root or alias")
	f(Config{Root: "/a", Alias: "/b"}, "either root or alias")
	f(Config{Root: "srv/www"}, "not an absolute path")
	f(Config{Root: "/"}, "whole machine")
	f(Config{Root: "//"}, "whole machine")
	f(Config{Root: "/proc/self"}, "part of /proc")
	f(Config{Root: "/srv/../dev"}, "part of /dev")
	f(Config{Alias: "/srv/a", Prefix: "/a/"}, "must end in a slash")
	f(Config{Alias: "/srv/a", Prefix: "a"}, "does not begin with a slash")
	f(Config{Root: "/srv", Private: []string{"", "/srv/app/config.toml"}}, "must stay private")
	f(Config{Root: "/srv", Private: []string{"/srv"}}, "must stay private")
	f(Config{Root: "/srv", Index: []string{"../x"}}, "not a file name")
	f(Config{Root: "/srv", Index: []string{".x"}}, "not a file name")

	if _, err := New(Config{Root: "/srv/www", Private: []string{"/srv/www2", "/srv"}}); err != nil {
		t.Errorf("a root below and beside private directories is refused: %v", err)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	s := newSite(t, nil)
	err := s.fs.Serve(request("GET", "/gone.css"))
	if !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "gone.css") || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("error is %v; want one that names the file and the root", err)
	}
}

func TestTruncatedWhileSent(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 100<<10)
	s := newSite(t, map[string]string{"big": string(large)})
	ex := request("GET", "/big")
	must(t, s.fs.Serve(ex))
	must(t, os.Truncate(filepath.Join(s.dir, "big"), 1000))
	n, err := ex.Response.File.File.ReadAt(make([]byte, 64<<10), 0)
	if n != 1000 || err != io.EOF {
		t.Errorf("ReadAt of a truncated file = %d, %v; want 1000 and io.EOF", n, err)
	}
	must(t, ex.Response.Release())

	s.write("big", string(large))
	s.pass(time.Second)
	ex = request("GET", "/big", "Range", "bytes=0-9,90000-90009")
	must(t, s.fs.Serve(ex))
	must(t, os.Truncate(filepath.Join(s.dir, "big"), 1000))
	if _, err := readBody(&ex.Response); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("stream of a truncated file ends with %v; want io.ErrUnexpectedEOF", err)
	}
	must(t, ex.Response.Release())
}
