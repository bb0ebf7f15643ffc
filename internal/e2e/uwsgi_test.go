package e2e

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// background starts another program of a test and stops it at the end.
func background(t *testing.T, dir string, command ...string) *logBuffer {
	t.Helper()
	log := newLogBuffer()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %q: %v", command, err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of %s:\n%s", command[0], log.tail(50))
		}
	})
	return log
}

// startNginx runs the real nginx with one server that passes all requests to a uwsgi address.
func startNginx(t *testing.T, v *variables, pass string) {
	t.Helper()
	user := ""
	if os.Geteuid() == 0 {
		// nginx's workers need our scratch directory, which is root's.
		user = "user root;"
	}
	v.writeFile("nginx.conf", v.expand(`
daemon off; `+user+` worker_processes 1; pid $DIR/nginx.pid; error_log stderr;
events { worker_connections 256; }
http {
    access_log off; client_max_body_size 64m;
    client_body_temp_path $DIR/nginx-body; uwsgi_temp_path $DIR/nginx-uwsgi;
    proxy_temp_path $DIR/nginx-proxy; fastcgi_temp_path $DIR/nginx-fastcgi; scgi_temp_path $DIR/nginx-scgi;
    upstream hognose { server `+pass+`; keepalive 4; }
    server {
        listen $HTTP9; server_name example.test;
        location / {
            uwsgi_pass hognose;
`+uwsgiParams+`
            uwsgi_param SITE_NAME "from nginx";
        }
        location /bad { uwsgi_pass hognose; `+uwsgiParams+` uwsgi_param UWSGI_FILE /etc/passwd; }
    }
}
`))
	background(t, v.dir, need(t, "nginx-light", "nginx"), "-e", "stderr", "-p", v.dir, "-c", v.dir+"/nginx.conf")
	waitListening(t, v.value("$HTTP9"))
}

// uwsgiParams is the content of the file of that name which nginx is installed with.
const uwsgiParams = `
            uwsgi_param QUERY_STRING $query_string;
            uwsgi_param REQUEST_METHOD $request_method;
            uwsgi_param CONTENT_TYPE $content_type;
            uwsgi_param CONTENT_LENGTH $content_length;
            uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri;
            uwsgi_param DOCUMENT_ROOT $document_root;
            uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_param REQUEST_SCHEME $scheme;
            uwsgi_param HTTPS $https if_not_empty;
            uwsgi_param REMOTE_ADDR $remote_addr;
            uwsgi_param REMOTE_PORT $remote_port;
            uwsgi_param SERVER_PORT $server_port;
            uwsgi_param SERVER_NAME $server_name;
`

func waitListening(t *testing.T, address string) {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	eventually(t, "something listens on "+address, func() bool {
		conn, err := net.DialTimeout(network, address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// TestBehindNginx puts the real nginx's uwsgi_pass in front of hognose's uwsgi listeners, TCP and Unix.
func TestBehindNginx(t *testing.T) {
	for name, listen := range map[string]string{"tcp": "$UWSGI", "unix": "unix:$DIR/hognose.sock"} {
		t.Run(name, func(t *testing.T) {
			v := newVariables(t)
			s := startWith(t, v, strings.ReplaceAll(uwsgiSite, "LISTEN", listen))
			startNginx(t, v, v.expand(listen))
			ask := func(method, path string, body []byte, headers ...string) answer {
				t.Helper()
				front := *s
				front.vars = &variables{t: t, dir: v.dir, values: map[string]string{"$HTTP": v.value("$HTTP9")}}
				return front.send(method, path, bytes.NewReader(body), headers...)
			}
			got := decode[facts](t, ask("GET", "/a%20b?c=d", nil, "Host: example.test", "X-One: 1"))
			for key, want := range map[string]any{
				"REQUEST_METHOD": "GET", "PATH_INFO": "/a b", "QUERY_STRING": "c=d", "REQUEST_URI": "/a%20b?c=d", "SCRIPT_NAME": "",
				"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "example.test", "HTTP_X_ONE": "1",
				"SITE_NAME": "from nginx", "wsgi.url_scheme": "http",
			} {
				if !matches(got.Environ[key], want) {
					t.Errorf("environ has %s = %#v; want %#v", key, got.Environ[key], want)
				}
			}
			for _, size := range []int{0, 10, 100_000, 3_000_000} {
				body := lines(size)
				wantReceived(t, "/bodies/read", ask("POST", "/bodies/read", body), body)
			}
			ask("GET", "/responses/generator", nil).want(t, 200, "generator")
			ask("GET", "/responses/big?1000000", nil).want(t, 200, strings.Repeat("b", 1000000))
			ask("GET", "/responses/own-reason", nil).want(t, 299, "special")
			if a := ask("HEAD", "/responses/sized", nil); a.status != 200 || a.length != 5 {
				t.Errorf("HEAD: got %d, length %d; want 200, 5", a.status, a.length)
			}
			// UWSGI_ variables load code in uWSGI. Whoever sends one is refused, and nobody dies.
			if a := ask("GET", "/bad", nil); a.status < 400 {
				t.Errorf("UWSGI_FILE: got %d %q; want it refused", a.status, short(a.body))
			}
			wantGarbageRefused(t, v.expand(listen))
			ask("GET", "/responses/list", nil).want(t, 200, "one two")
		})
	}
}

const uwsgiSite = `
[app.facts]
module = "facts:app"
chdir = "$APPS"
python = "$PYTHON"

[app.bodies]
module = "bodies:app"
chdir = "$APPS"
python = "$PYTHON"

[app.responses]
module = "responses:app"
chdir = "$APPS"
python = "$PYTHON"

[[server]]
listen = ["$HTTP", "LISTEN uwsgi"]
client_max_body_size = "64m"

[[server.location]]
path = "/"
pass = "app:facts"

[[server.location]]
path = "/bodies"
pass = "app:bodies"
script_name = "/bodies"

[[server.location]]
path = "/responses"
pass = "app:responses"
script_name = "/responses"
`

// wantGarbageRefused sends packets that lie, and junk, and wants each connection closed without a 200.
func wantGarbageRefused(t *testing.T, listen string) {
	t.Helper()
	network, address := "tcp", listen
	if path, found := strings.CutPrefix(listen, "unix:"); found {
		network, address = "unix", path
	}
	packet := func(vars string) string {
		return "\x00" + string([]byte{byte(len(vars)), byte(len(vars) >> 8)}) + "\x00" + vars
	}
	for name, junk := range map[string]string{
		"http":              "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a key too long":    packet("\xff\xffX\x01\x00y"),
		"a value too long":  packet("\x01\x00X\xff\x00y"),
		"half a length":     packet("\x01"),
		"no variables":      packet(""),
		"another modifier":  "\x05" + packet("\x01\x00X\x01\x00y")[1:],
		"an empty key":      packet("\x00\x00\x01\x00y"),
		"zeroes":            strings.Repeat("\x00", 1000),
		"ones":              strings.Repeat("\xff", 100000),
		"a negative length": packet("\x0e\x00CONTENT_LENGTH\x02\x00-1"),
	} {
		conn, err := net.DialTimeout(network, address, patience)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write([]byte(junk))
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		var got logBuffer
		_, err = io.Copy(&got, conn)
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Errorf("%s: the connection stays open", name)
		}
		if strings.Contains(got.String(), " 200 ") {
			t.Errorf("%s: got %q; want it refused", name, short(got.String()))
		}
		conn.Close()
	}
}

// TestBeforeUWSGI passes requests to the real uWSGI, over TCP and a Unix socket.
func TestBeforeUWSGI(t *testing.T) {
	program := need(t, "uwsgi-core uwsgi-plugin-python3", "uwsgi")
	v := newVariables(t)
	v.writeFile("behind.py", `
from wsgiref.util import request_uri
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    text = "%s %s|%s %d %s" % (environ["REQUEST_METHOD"], environ["SCRIPT_NAME"], environ["PATH_INFO"], len(body), environ.get("SITE_NAME"))
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Behind", "uWSGI")])
    return [text.encode("latin-1")] + [b"." * 100000] * int(environ["QUERY_STRING"] or 0)
`)
	background(t, v.dir, program, "--plugin", "python3", "--uwsgi-socket", v.expand("$UWSGI8"), "--uwsgi-socket", v.dir+"/behind.sock",
		"--wsgi-file", v.dir+"/behind.py", "--callable", "app", "--master", "--processes", "2", "--need-app", "--die-on-term")
	waitListening(t, v.value("$UWSGI8"))
	waitListening(t, v.dir+"/behind.sock")
	s := startWith(t, v, `
[[server]]
listen = ["$HTTP"]
client_max_body_size = "8m"

[[server.location]]
path = "/"
pass = "uwsgi://$UWSGI8"
uwsgi_param = { SITE_NAME = "behind" }

[[server.location]]
path = "/unix"
pass = "uwsgi://unix:$DIR/behind.sock"
script_name = "/unix"

[[server.location]]
path = "/nobody"
pass = "uwsgi://unix:$DIR/nobody.sock"
`)
	s.get("/a%20b").want(t, 200, "GET |/a b 0 behind")
	s.get("/unix/x").want(t, 200, "GET /unix|/x 0 None")
	s.get("/unix/x").wantHeader(t, "X-Behind", "uWSGI")
	s.get("/?20").want(t, 200, "GET |/ 0 behind"+strings.Repeat(".", 2_000_000))
	for _, size := range []int{10, 100_000, 3_000_000} {
		s.post("/up", lines(size), false).want(t, 200, "POST |/up "+itoa(size)+" behind")
		s.post("/up", lines(size), true).want(t, 200, "POST |/up "+itoa(size)+" behind")
	}
	s.get("/nobody").wantStatus(t, 502)
	l := s.startLoad(8, "/unix/load", body200("GET /unix|/load 0 None"))
	l.more(500)
	l.finish()
}
