package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hognose/internal/config"
	"hognose/internal/exchange"
	"hognose/internal/uwsgi"
)

// packet makes a packet of keys and values.
func packet(kv ...string) []byte {
	var vars []exchange.Field
	for i := 0; i < len(kv); i += 2 {
		vars = append(vars, exchange.Field{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	p, err := uwsgi.AppendPacket(nil, vars)
	if err != nil {
		panic(err)
	}
	return p
}

// readVars reads the variables of a packet as a connection does.
func readVars(p []byte) (*exchange.Exchange, *Head, error) {
	vars, err := uwsgi.Parse(nil, p)
	if err != nil {
		return nil, nil, err
	}
	ex, hd := new(exchange.Exchange), new(Head)
	return ex, hd, testGuard().readUWSGI(ex, hd, vars)
}

func TestUWSGIVars(t *testing.T) {
	ex, hd, err := readVars(packet(
		"QUERY_STRING", "b=c", "REQUEST_METHOD", "POST", "CONTENT_TYPE", "text/plain", "CONTENT_LENGTH", "12", "REQUEST_URI", "/a%20b?b=c", "PATH_INFO", "/a b",
		"DOCUMENT_ROOT", "/srv/www", "SERVER_PROTOCOL", "HTTP/2.0", "REQUEST_SCHEME", "https", "HTTPS", "on", "REMOTE_ADDR", "192.0.2.1", "REMOTE_PORT", "5000",
		"SERVER_PORT", "443", "SERVER_NAME", "example.test", "SITE_NAME", "mine", "REQUEST_ID", "0123456789abcdef0123456789ABCDEF",
		"HTTP_HOST", "WWW.Example.test:8443", "HTTP_X_ONE", " 1 ", "HTTP_CONTENT_LENGTH", "99", "HTTP_CONTENT_TYPE", "x/y", "HTTP_TRANSFER_ENCODING", "chunked",
		"HTTP_EXPECT", "100-continue", "HTTP_CONNECTION", "close, X-Hop", "HTTP_X_HOP", "gone", "HTTP_PROXY", "evil", "HTTP_UPGRADE", "h2c", "HTTP_X_FORWARDED_FOR", "6.6.6.6",
		"wsgi.input", "evil", "HTTP_x", "y", "HTTP_", "y", "lower", "y"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("%s = %q; want %q", what, got, want)
		}
	}
	f("Method", ex.Method, "POST")
	f("Target", ex.Target, "/a%20b?b=c")
	f("Path", ex.Path, "/a b")
	f("Query", ex.Query, "b=c")
	f("Host", ex.Host, "www.example.test")
	f("Authority", ex.Authority, "WWW.Example.test:8443")
	f("ID", ex.ID, "0123456789abcdef0123456789ABCDEF")
	f("Line", hd.Line, "POST /a%20b?b=c HTTP/2.0")
	if ex.Proto != exchange.HTTP2 || ex.ContentLength != 12 || ex.Scheme != "https" || ex.Remote != netip.MustParseAddrPort("192.0.2.1:5000") || hd.KeepAlive || hd.Expect || hd.Dropped != 4 {
		t.Errorf("Proto %v, ContentLength %d, Scheme %q, Remote %v, KeepAlive %t, Expect %t, Dropped %d",
			ex.Proto, ex.ContentLength, ex.Scheme, ex.Remote, hd.KeepAlive, hd.Expect, hd.Dropped)
	}
	if got, want := fieldList(ex.Fields), []string{"Content-Type=text/plain", "X-ONE=1", "X-FORWARDED-FOR=6.6.6.6"}; !slices.Equal(got, want) || !hd.forwarded {
		t.Errorf("Fields = %q, forwarded %t; want %q, true", got, hd.forwarded, want)
	}
	want := []string{"DOCUMENT_ROOT=/srv/www", "SERVER_PORT=443", "SERVER_NAME=example.test", "SITE_NAME=mine"}
	if got := fieldList(ex.Params); !slices.Equal(got, want) {
		t.Errorf("Params = %q; want %q", got, want)
	}
}

func TestUWSGIVarsPath(t *testing.T) {
	f := func(wantPath, wantScript string, kv ...string) {
		t.Helper()
		ex, _, err := readVars(packet(append(kv, "REQUEST_METHOD", "GET")...))
		if err != nil {
			t.Errorf("%q: %v", kv, err)
			return
		}
		if string(ex.Path) != wantPath || ex.ScriptName != wantScript {
			t.Errorf("%q: path %q, script %q; want %q, %q", kv, ex.Path, ex.ScriptName, wantPath, wantScript)
		}
	}
	f("/a b", "", "REQUEST_URI", "/a%20b?c")
	f("/a b", "", "REQUEST_URI", "/a%20b?c", "PATH_INFO", "/a b")
	f("/a b", "", "PATH_INFO", "/a b")
	f("/", "", "REQUEST_URI", "/?c", "PATH_INFO", "", "SCRIPT_NAME", "")
	f("/rewritten", "", "REQUEST_URI", "/a", "PATH_INFO", "/rewritten")
	f("/app/x", "/app", "REQUEST_URI", "/app/x", "SCRIPT_NAME", "/app", "PATH_INFO", "/x")
	f("/app/x", "/app", "REQUEST_URI", "/app/x", "SCRIPT_NAME", "/app", "PATH_INFO", "/app/x")
	f("/app/app/x", "/app", "REQUEST_URI", "/app/app/x", "SCRIPT_NAME", "/app", "PATH_INFO", "/app/x")
	f("/app/x", "/app", "REQUEST_URI", "/elsewhere", "SCRIPT_NAME", "/app", "PATH_INFO", "/x")
	f("/app", "/app", "REQUEST_URI", "/app", "SCRIPT_NAME", "/app", "PATH_INFO", "")
	f("/app/apple", "/app", "REQUEST_URI", "/x", "SCRIPT_NAME", "/app", "PATH_INFO", "/apple")
	f("/app/x", "/app", "SCRIPT_NAME", "/app", "PATH_INFO", "/x", "QUERY_STRING", "a=b")
}

func TestUWSGIVarsRefused(t *testing.T) {
	f := func(status int, kv ...string) {
		t.Helper()
		base := map[string]string{"REQUEST_METHOD": "GET", "REQUEST_URI": "/"}
		for i := 0; i < len(kv); i += 2 {
			base[kv[i]] = kv[i+1]
		}
		var all []string
		for k, v := range base {
			all = append(all, k, v)
		}
		if _, _, err := readVars(packet(all...)); exchange.StatusOf(err) != status || err == nil {
			t.Errorf("%q gives %v; want %d", kv, err, status)
		}
	}
	f(400, "REQUEST_METHOD", "")
	f(400, "REQUEST_METHOD", "G T")
	f(400, "REQUEST_METHOD", strings.Repeat("A", 33))
	f(405, "REQUEST_METHOD", "CONNECT")
	f(405, "REQUEST_METHOD", "TRACE")
	f(414, "REQUEST_URI", "")
	f(414, "REQUEST_URI", "/"+strings.Repeat("a", 9000))
	f(400, "REQUEST_URI", "a")
	f(400, "REQUEST_URI", "/a b")
	f(400, "REQUEST_URI", "/../a")
	f(400, "REQUEST_URI", "/%00")
	f(400, "REQUEST_URI", "/a#b")
	f(400, "REQUEST_URI", "*")
	f(400, "REQUEST_URI", "http://u@h/")
	f(400, "PATH_INFO", "a")
	f(400, "PATH_INFO", "/a/../b")
	f(400, "PATH_INFO", "/..")
	f(400, "PATH_INFO", "/./")
	f(400, "PATH_INFO", "/\x00")
	f(400, "PATH_INFO", "/a\r\nb")
	f(400, "SCRIPT_NAME", "app", "PATH_INFO", "/x")
	f(400, "SCRIPT_NAME", "/app/", "PATH_INFO", "/x")
	f(400, "SCRIPT_NAME", "/a/..", "PATH_INFO", "/x")
	f(400, "QUERY_STRING", "a b")
	f(400, "QUERY_STRING", "a#b")
	f(400, "SERVER_PROTOCOL", "HTTP/0.9")
	f(400, "SERVER_PROTOCOL", "junk")
	f(400, "CONTENT_LENGTH", "-1")
	f(400, "CONTENT_LENGTH", "1, 1")
	f(400, "CONTENT_LENGTH", "99999999999999999999")
	f(400, "REMOTE_ADDR", "junk")
	f(400, "REMOTE_ADDR", "192.0.2.1", "REMOTE_PORT", "70000")
	f(400, "REQUEST_SCHEME", "ftp")
	f(400, "HTTP_HOST", "a/b")
	f(400, "HTTP_HOST", "")
	f(400, "HTTP_X", "a\nb")
	f(400, "HTTP_X", "a\x00b")
	f(400, "SITE_NAME", "a\x1bb")
	f(400, "HTTP_CONNECTION", "x"+strings.Repeat(",x", 40))
	f(400, "REQUEST_URI", "http://a/", "HTTP_HOST", "b")
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("HTTP_X%d", i), "y")
	}
	f(431, many...)
}

// What is accepted means the same when it is packed again, and has nothing that the guard refuses.
func FuzzUWSGIVars(f *testing.F) {
	f.Add(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/a%20b?c", "PATH_INFO", "/a b", "HTTP_HOST", "h", "HTTP_X_Y", "z", "REMOTE_ADDR", "::1"))
	f.Add(packet("REQUEST_METHOD", "POST", "SCRIPT_NAME", "/app", "PATH_INFO", "/x", "CONTENT_LENGTH", "3", "CONTENT_TYPE", "a/b", "HTTPS", "on", "SITE", "s"))
	f.Add(packet("REQUEST_METHOD", "OPTIONS", "REQUEST_URI", "*"))
	f.Fuzz(func(t *testing.T, p []byte) {
		ex, _, err := readVars(bytes.Clone(p))
		if err != nil {
			return
		}
		length := ex.ContentLength
		if length == 0 {
			length = -1
		}
		again, err := uwsgi.AppendRequest(nil, ex, length)
		if err != nil {
			return // with the computed variables it may be too large
		}
		ex2, _, err := readVars(again)
		if err != nil {
			t.Fatalf("%q is accepted, packed again it is %q: %v", p, again, err)
		}
		same := bytes.Equal(ex.Method, ex2.Method) && bytes.Equal(ex.Target, ex2.Target) && bytes.Equal(ex.Path, ex2.Path) && bytes.Equal(ex.Query, ex2.Query) &&
			bytes.Equal(ex.Host, ex2.Host) && ex.Proto == ex2.Proto && ex.Scheme == ex2.Scheme && ex.ScriptName == ex2.ScriptName &&
			ex.ContentLength == ex2.ContentLength && ex.Remote.Addr() == ex2.Remote.Addr() && sameFields(ex.Fields, ex2.Fields)
		if !same {
			t.Fatalf("packed again, %q changed: %+v; want %+v", p, ex2, ex)
		}
	})
}

func sameFields(a, b []exchange.Field) bool {
	x, y := fieldList(a), fieldList(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.EqualFunc(x, y, strings.EqualFold)
}

// startUWSGI starts a server with one uwsgi listener and one handler.
func startUWSGI(t *testing.T, h exchange.Handler, edit func(*config.Server)) (network, addr string) {
	t.Helper()
	addr = filepath.Join(t.TempDir(), "u.sock")
	ln, err := net.Listen("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg := server(t, "unix:"+addr+" uwsgi", "", "/")
	cfg.HTTP.ClientHeaderTimeout = config.Duration(10 * time.Second)
	if edit != nil {
		edit(cfg)
	}
	router, err := NewRouter([]*config.Server{cfg}, func(*config.Server, *config.Location) (exchange.Handler, error) { return h, nil })
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(&Settings{Router: router, WorkerConnections: 100}, nil, zerolog.Nop())
	if err := srv.Listen(map[config.Listen]net.Listener{cfg.Listen[0]: ln}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		srv.Shutdown(ctx)
	})
	return "unix", addr
}

// converse sends bytes, closes its side if half is set, and returns all that comes back.
func converse(t *testing.T, network, addr string, half bool, pieces ...string) string {
	t.Helper()
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	for _, p := range pieces {
		if _, err := io.WriteString(nc, p); err != nil {
			break // refused already
		}
	}
	if half {
		nc.(*net.UnixConn).CloseWrite()
	}
	b, err := io.ReadAll(nc)
	if os.IsTimeout(err) {
		t.Errorf("the connection stays open after %q", b)
	}
	return string(b)
}

func get1(kv ...string) string {
	return string(packet(append(kv, "REQUEST_METHOD", "GET", "REQUEST_URI", "/a%20b?c", "HTTP_HOST", "h", "REMOTE_ADDR", "192.0.2.1")...))
}

func TestUWSGIServerForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, bytes.Repeat([]byte("f"), 100000), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() }) // after the server's end
	network, addr := startUWSGI(t, func(ex *exchange.Exchange) error {
		r := &ex.Response
		r.Status, r.Length = 200, -1
		r.Add("X-Answer", "yes")
		switch string(ex.Query) {
		case "body":
			r.Reason = []byte("Fine")
			r.Body = []byte("body")
		case "file":
			r.File = &exchange.FileRange{File: file, Offset: 10, N: 99000}
		case "stream", "head":
			c := make(chan string, 2)
			c <- "one "
			c <- "two"
			close(c)
			r.Stream = &pieces{c: c}
			if ex.IsHead() {
				r.Stream, r.Length = nil, 7
			}
		}
		return nil
	}, nil)
	f := func(method, query, want string) {
		t.Helper()
		got := converse(t, network, addr, false, string(packet("REQUEST_METHOD", method, "REQUEST_URI", "/?"+query, "SERVER_PROTOCOL", "HTTP/1.1")))
		if got != want {
			t.Errorf("%s %s: got %.200q; want %.200q", method, query, got, want)
		}
	}
	f("GET", "body", "HTTP/1.1 200 Fine\r\nX-Answer: yes\r\nContent-Length: 4\r\n\r\nbody")
	f("GET", "file", "HTTP/1.1 200 OK\r\nX-Answer: yes\r\nContent-Length: 99000\r\n\r\n"+strings.Repeat("f", 99000))
	f("GET", "stream", "HTTP/1.1 200 OK\r\nX-Answer: yes\r\n\r\none two")
	f("HEAD", "head", "HTTP/1.1 200 OK\r\nX-Answer: yes\r\nContent-Length: 7\r\n\r\n")
}

func TestUWSGIServerBody(t *testing.T) {
	network, addr := startUWSGI(t, echo, func(s *config.Server) { s.Locations[0].HTTP.ClientMaxBodySize = 100 })
	post := func(length string) string {
		return string(packet("REQUEST_METHOD", "POST", "REQUEST_URI", "/p", "CONTENT_LENGTH", length))
	}
	f := func(want string, half bool, pieces ...string) {
		t.Helper()
		if got := converse(t, network, addr, half, pieces...); !strings.HasPrefix(got, want) && (want != "" || got != "") {
			t.Errorf("%.100q: got %.100q; want %q", pieces, got, want)
		}
	}
	body := strings.Repeat("b", 100)
	f("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nPOST /p hell", false, post("4"), "hello")
	f("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nPOST /p ", false, post("0"))
	f("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nPOST /p ", false, post(""), "ignored")
	f("HTTP/1.1 200 OK", false, post("100"), body[:50], body[50:])
	f("HTTP/1.1 200 OK", false, post("100"), body+strings.Repeat("more than it said", 10000)) // the answer is not lost
	f("HTTP/1.1 413 ", false, post("101"), body, "b")
	f("", true, post("100"), body[:99]) // the client has left: nobody is answered
}

func TestUWSGIServerRoutes(t *testing.T) {
	network, addr := startUWSGI(t, func(ex *exchange.Exchange) error {
		text(ex, strings.Join(append(fieldList(ex.Params), fieldList(ex.Fields)...), "|")+" "+ex.ScriptName+" "+ex.Remote.String()+" "+string(ex.Path))
		return nil
	}, func(s *config.Server) {
		s.Locations[0].UWSGIParam = map[string]string{"OURS": "1", "BOTH": "ours"}
		s.Locations = append(s.Locations, &config.Location{
			Path: config.LocationPath{Path: "/mount"}, Pass: s.Locations[0].Pass, ScriptName: "/mount", HTTP: s.HTTP})
	})
	f := func(want string, kv ...string) {
		t.Helper()
		got := converse(t, network, addr, false, string(packet(append(kv, "REQUEST_METHOD", "GET")...)))
		if _, body, _ := strings.Cut(got, "\r\n\r\n"); body != want {
			t.Errorf("%q: got %q; want %q", kv, got, want)
		}
	}
	f("BOTH=ours|OURS=1|SERVER_SOFTWARE=  192.0.2.1:0 /x", "REQUEST_URI", "/x", "SERVER_NAME", "", "SERVER_PORT", "", "SERVER_SOFTWARE", "", "REMOTE_ADDR", "192.0.2.1")
	f("BOTH=ours|OURS=1|THEIRS=2  192.0.2.1:7 /x", "REQUEST_URI", "/x", "THEIRS", "2", "BOTH", "theirs", "REMOTE_ADDR", "192.0.2.1", "REMOTE_PORT", "7")
	f("BOTH=ours|OURS=1 /app invalid AddrPort /app/x", "SCRIPT_NAME", "/app", "PATH_INFO", "/x", "REMOTE_ADDR", "unix:")
	f(" /mount invalid AddrPort /mount/x", "REQUEST_URI", "/mount/x", "PATH_INFO", "/mount/x", "HTTP_X_FORWARDED_FOR", "6.6.6.6")
}

// Junk is closed or refused, and the next client is served.
func TestUWSGIServerJunk(t *testing.T) {
	network, addr := startUWSGI(t, echo, nil)
	closed := func(name, junk string) {
		t.Helper()
		if got := converse(t, network, addr, true, junk); got != "" {
			t.Errorf("%s: got %.100q; want a closed connection", name, got)
		}
	}
	closed("nothing", "")
	closed("half a header", "\x00\x05")
	closed("http", "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	closed("modifier1", "\x05\x00\x00\x00")
	closed("modifier2", "\x00\x00\x00\x01")
	closed("cut off", get1()[:30])
	closed("size too large", "\x00\xff\xff\x00abc")
	closed("lying key", "\x00\x03\x00\x00\x09\x00a")
	closed("lying value", "\x00\x06\x00\x00\x01\x00a\x09\x00b")
	closed("repeated key", string(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/", "REQUEST_METHOD", "GET")))
	closed("UWSGI_FILE", get1("UWSGI_FILE", "/etc/passwd"))
	closed("ones", strings.Repeat("\xff", 100000))
	for name, p := range map[string]string{"empty packet": "\x00\x00\x00\x00", "bad length": get1("CONTENT_LENGTH", "-1"), "line break": get1("HTTP_X", "a\r\nb")} {
		if got := converse(t, network, addr, false, p); !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") {
			t.Errorf("%s: got %.100q; want 400", name, got)
		}
	}
	// Cut at every byte, a good packet is one request.
	good := get1()
	for cut := range len(good) {
		if got := converse(t, network, addr, false, good[:cut], good[cut:]); !strings.HasSuffix(got, "\r\n\r\nGET /a b ") {
			t.Fatalf("cut at %d: got %.200q", cut, got)
		}
	}
	// One request per connection: a second one is not read.
	if got := converse(t, network, addr, true, good+good); strings.Count(got, "HTTP/1.1 ") != 1 {
		t.Errorf("two packets: got %.300q", got)
	}
}

func TestUWSGIServerTimeout(t *testing.T) {
	network, addr := startUWSGI(t, echo, func(s *config.Server) { s.HTTP.ClientHeaderTimeout = 1 })
	for _, p := range []string{"", "\x00", get1()[:20]} {
		if got := converse(t, network, addr, false, p); got != "" {
			t.Errorf("%q: got %q; want a closed connection", p, got)
		}
	}
}
