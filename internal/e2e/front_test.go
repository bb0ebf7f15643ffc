package e2e

import (
	"bufio"
	ctls "crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSmuggling sends requests with something wrong in their framing or names, each followed at once by a
// canary on the same connection. The canary must never reach the application.
func TestSmuggling(t *testing.T) {
	v := newVariables(t)
	v.writeFile("canary.py", "import sign\ndef app(environ, start_response):\n    environ['wsgi.input'].read()\n"+
		"    sign.append('seen', environ['PATH_INFO'])\n    start_response('200 OK', [('Content-Length', '2')])\n    return [b'ok']\n")
	s := startWith(t, v, strings.Replace(site{module: "canary:app", app: `pythonpath = ["$APPS"]`}.String(), `chdir = "$APPS"`, `chdir = "$DIR"`, 1))
	const canary = "GET /canary HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, request := range map[string]string{
		"two lengths":            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
		"length and chunked":     "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a space before a colon": "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 44\r\n\r\n",
		"a space in a name":      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a folded line":          "POST / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n Content-Length: 44\r\n\r\n",
		"a bare newline":         "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\n\r\n",
		"another coding":         "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a sign":                 "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n",
		"a bad chunk size":       "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
		"a chunk without end":    "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n",
		"two hosts":              "GET / HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
		"no host":                "GET / HTTP/1.1\r\n\r\n",
		"a zero byte":            "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
		"an old version":         "GET / HTTP/0.9\r\nHost: localhost\r\n\r\n",
		"a zero in the path":     "GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"above the root":         "GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"another authority":      "GET http://other/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"connect":                "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"chunked in HTTP/1.0":    "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"junk":                   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		got := s.exchange(request + canary)
		if !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 5") {
			t.Errorf("%s: got %q; want it refused", name, short(got))
		}
		if strings.Contains(s.read("seen"), "/canary") {
			t.Fatalf("%s: the canary ran", name)
		}
	}
	s.get("/alive").want(t, 200, "ok")
	if seen := s.read("seen"); strings.Contains(seen, "/canary") || !strings.Contains(seen, "/alive\n") {
		t.Errorf("the application saw %q; want /alive and no canary", seen)
	}
}

// TestPipelining: requests sent at once are answered in order, each by the application.
func TestPipelining(t *testing.T) {
	s := start(t, site{module: "responses:app", app: "processes = 2"}.String())
	c := s.dial()
	c.send(strings.Repeat("GET /list HTTP/1.1\r\nHost: localhost\r\n\r\nGET /generator HTTP/1.1\r\nHost: localhost\r\n\r\n", 20))
	for range 20 {
		c.read("GET").want(t, 200, "one two")
		c.read("GET").want(t, 200, "generator")
	}
}

// TestVirtualHosts: names choose the server, paths the location; a name nobody has is refused.
func TestVirtualHosts(t *testing.T) {
	s := start(t, `
[app.facts]
module = "facts:app"
chdir = "$APPS"
python = "$PYTHON"

[app.hello]
module = "hello:app"
chdir = "$APPS"
python = "$PYTHON"

[[server]]
listen = ["$HTTP"]
server_name = ["one.test", "www.one.test"]
[[server.location]]
path = "/"
pass = "app:hello"
[[server.location]]
path = "= /exact"
pass = "app:facts"
[[server.location]]
path = "/prefix/"
pass = "app:facts"
[[server.location]]
path = "/prefix/deeper/"
pass = "app:hello"

[[server]]
listen = ["$HTTP"]
server_name = ["two.test"]
[[server.location]]
path = "/"
pass = "app:facts"
`)
	f := func(hostName, path string, hello bool) {
		t.Helper()
		a := s.get(path, "Host: "+hostName)
		if a.status != 200 || (a.body == "Hello") != hello {
			t.Errorf("%s%s: got %d %q; want hello: %t", hostName, path, a.status, short(a.body), hello)
		}
	}
	f("one.test", "/", true)
	f("WWW.One.Test:1234", "/", true)
	f("one.test.", "/", true)
	f("two.test", "/", false)
	f("one.test", "/exact", false)
	f("one.test", "/exact/", true)
	f("one.test", "/prefix/", false)
	f("one.test", "/prefix/deeper/x", true)
	f("one.test", "/prefix/../", true)
	if a := s.get("/", "Host: three.test"); a.status != 421 && a.status != 404 {
		t.Errorf("an unknown name: got %d %q; want it refused", a.status, short(a.body))
	}
}

// TestSNI: each server of one address has its own certificate.
func TestSNI(t *testing.T) {
	v := newVariables(t)
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(v.dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, v.dir+"/"+name)
	}
	s := startWith(t, v, `
[app.hello]
module = "hello:app"
chdir = "$APPS"
python = "$PYTHON"

[[server]]
listen = ["$TLS ssl"]
server_name = ["a.test"]
certificate = { cert = "$DIR/a/localhost.crt", key = "$DIR/a/localhost.key" }
[[server.location]]
path = "/"
pass = "app:hello"

[[server]]
listen = ["$TLS ssl"]
server_name = ["b.test"]
certificate = { cert = "$DIR/b/localhost.crt", key = "$DIR/b/localhost.key" }
[[server.location]]
path = "/"
pass = "app:hello"
`)
	serial := func(name string) string {
		conn, err := ctls.Dial("tcp", s.address("$TLS"), &ctls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if v := conn.ConnectionState().Version; v < ctls.VersionTLS12 {
			t.Errorf("TLS version %x", v)
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if serial("a.test") == serial("b.test") {
		t.Errorf("both names have the same certificate")
	}
	_, err := ctls.Dial("tcp", s.address("$TLS"), &ctls.Config{ServerName: "a.test", InsecureSkipVerify: true, MaxVersion: ctls.VersionTLS11, MinVersion: ctls.VersionTLS10})
	if err == nil {
		t.Errorf("TLS 1.1 is accepted")
	}
}

// TestReloadCertificate: a renewed certificate is taken on SIGHUP.
func TestReloadCertificate(t *testing.T) {
	v := newVariables(t)
	if err := os.Mkdir(v.dir+"/www", 0o755); err != nil {
		t.Fatal(err)
	}
	s := startWith(t, v, `
[[server]]
listen = ["$TLS ssl"]
certificate = { cert = "$CERT", key = "$KEY" }
root = "$DIR/www"
`)
	serial := func() string {
		conn, err := ctls.Dial("tcp", s.address("$TLS"), &ctls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return leaf(conn).SerialNumber.String()
	}
	before := serial()
	writeCertificate(t, v.dir)
	if serial() != before {
		t.Errorf("the certificate changed before SIGHUP")
	}
	s.signal(syscall.SIGHUP)
	eventually(t, "the new certificate is served", func() bool { return serial() != before })
}

func leaf(conn *ctls.Conn) *x509.Certificate { return conn.ConnectionState().PeerCertificates[0] }

// TestAccessLog: one line for each request, in the combined format or as JSON, with nothing a client could forge a line with.
func TestAccessLog(t *testing.T) {
	t.Run("combined", func(t *testing.T) {
		s := start(t, site{module: "hello:app"}.String())
		s.get("/path?query", "User-Agent: agent \"quoted\"\\", "Referer: http://elsewhere/")
		var line string
		eventually(t, "the request is logged", func() bool { line = lineWith(s.read("access.log"), "/path?query"); return line != "" })
		if !strings.HasPrefix(line, "127.0.0.1 - - [") || !strings.Contains(line, `"GET /path?query HTTP/1.1" 200 5 "http://elsewhere/" "agent \x22quoted\x22\x5C"`) {
			t.Errorf("got %q; want nginx's combined format", line)
		}
	})
	t.Run("json", func(t *testing.T) {
		s := start(t, strings.Replace(site{module: "hello:app"}.String(), "[log]", "[log]\nformat = \"json\"", 1))
		s.get("/path?query", "User-Agent: agent \"quoted\"")
		var line string
		eventually(t, "the request is logged", func() bool { line = lineWith(s.read("access.log"), "/path?query"); return line != "" })
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("got %q: %v", line, err)
		}
		for _, value := range []any{"127.0.0.1", "GET", 200.0, 5.0, "agent \"quoted\""} {
			if !hasValue(entry, value) {
				t.Errorf("%q lacks %v", line, value)
			}
		}
	})
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func hasValue(entry map[string]any, value any) bool {
	for _, v := range entry {
		if v == value {
			return true
		}
	}
	return false
}

// TestTrustedProxy: X-Forwarded-For counts only from those whom set_real_ip_from names.
func TestTrustedProxy(t *testing.T) {
	s := start(t, site{module: "facts:app", server: `set_real_ip_from = ["127.0.0.1"]`}.String())
	got := decode[facts](t, s.get("/", "X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Proto: https")).Environ
	if got["REMOTE_ADDR"] != "192.0.2.7" || got["wsgi.url_scheme"] != "https" || got["HTTPS"] != "on" {
		t.Errorf("REMOTE_ADDR %v, scheme %v, HTTPS %v; want the client the proxy names", got["REMOTE_ADDR"], got["wsgi.url_scheme"], got["HTTPS"])
	}
}

// TestHeaderTimeout: who does not finish a request header in time is told so, who says nothing is hung up on.
func TestHeaderTimeout(t *testing.T) {
	s := start(t, site{module: "hello:app", server: `client_header_timeout = "1s"` + "\n" + `keepalive_timeout = "1s"`}.String())
	half := s.dial()
	half.send("GET / HTTP/1.1\r\nHost: loc")
	half.read("GET").wantStatus(t, 408)
	if rest := half.rest(); rest != "" {
		t.Errorf("after the 408: %q", rest)
	}
	if got := s.dial().rest(); got != "" {
		t.Errorf("a silent connection got %q", got)
	}
	idle := s.dial()
	idle.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	idle.read("GET").want(t, 200, "Hello")
	if rest := idle.rest(); rest != "" {
		t.Errorf("an idle connection got %q", rest)
	}
}

// TestLimits: a line, a header block or a number of headers beyond the limits is refused.
func TestLimits(t *testing.T) {
	s := start(t, site{module: "hello:app"}.String())
	f := func(status int, request string) {
		t.Helper()
		c := s.dial()
		c.send(request)
		c.read("GET").wantStatus(t, status)
	}
	f(414, "GET /"+strings.Repeat("x", 9000)+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	f(431, "GET / HTTP/1.1\r\nHost: localhost\r\n"+strings.Repeat("X-Many: x\r\n", 101)+"\r\n")
	f(431, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: "+strings.Repeat("x", 40000)+"\r\n\r\n")
	f(200, "GET /"+strings.Repeat("x", 7000)+" HTTP/1.1\r\nHost: localhost\r\nX-Long: "+strings.Repeat("x", 7000)+"\r\n\r\n")
}

// TestQueueTimeout: a request that no worker takes in time is a 503; the queue limit is, too.
func TestQueueTimeout(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "queue_timeout = \"500ms\"\nlisten = 50"}.String())
	held := s.dial()
	held.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	s.holder("held-x", 1)
	s.get("/pid").wantStatus(t, 503)
	s.give("x")
	held.read("GET").wantStatus(t, 200)
	s.get("/pid").wantStatus(t, 200)
}

// TestHarakiri: a request that runs too long is a 504, its worker is replaced, the others never notice.
func TestHarakiri(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 2\nharakiri = \"1s\""}.String())
	before := s.workers("slow", 2)
	c := s.dial()
	c.send("GET /held?never HTTP/1.1\r\nHost: localhost\r\n\r\n")
	victim := s.holder("held-never", 1)
	c.read("GET").wantStatus(t, 504)
	eventually(t, "the worker is replaced", func() bool {
		now := pids(s.find(workersTitle("slow")))
		return len(now) == 2 && !now[victim]
	})
	kept := 0
	for pid := range pids(s.workers("slow", 2)) {
		if pids(before)[pid] {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d of the old workers are left; want the one that was innocent", kept)
	}
	s.get("/pid").wantStatus(t, 200)
}

// TestUnixListener: HTTP over a Unix socket.
func TestUnixListener(t *testing.T) {
	s := start(t, strings.Replace(site{module: "facts:app"}.String(), `listen = ["$HTTP"]`, `listen = ["$HTTP", "unix:$DIR/http.sock"]`, 1))
	conn, err := net.DialTimeout("unix", s.file("http.sock"), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	c := &rawConn{t: t, Conn: conn, r: bufio.NewReader(conn)}
	c.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	got := decode[facts](t, c.read("GET")).Environ
	if got["PATH_INFO"] != "/x" || got["REMOTE_ADDR"] != "unix:" && got["REMOTE_ADDR"] != "" {
		t.Errorf("PATH_INFO %v, REMOTE_ADDR %v; want /x and nginx's unix:", got["PATH_INFO"], got["REMOTE_ADDR"])
	}
}
