package upstream

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hognose/internal/exchange"
)

// uwsgiPackages bring a real uWSGI with Python on Debian and Ubuntu.
const uwsgiPackages = "uwsgi-core uwsgi-plugin-python3"

func hasUWSGI() bool { return exec.Command("uwsgi", "--plugin", "python3", "--version").Run() == nil }

// needUWSGI installs uWSGI when it is missing and we may; else it fails with what to install.
func needUWSGI(t *testing.T) {
	t.Helper()
	if hasUWSGI() {
		return
	}
	if os.Getuid() == 0 {
		args := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, strings.Fields(uwsgiPackages)...)
		install := exec.Command("apt-get", args...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := install.CombinedOutput(); err != nil {
			t.Logf("apt-get: %v\n%s", err, out)
		}
	}
	if !hasUWSGI() {
		t.Fatalf("uWSGI with its Python plugin is missing: apt-get install %s", uwsgiPackages)
	}
}

// startUWSGI runs testdata/app.py in a real uWSGI that listens at address, until the test ends.
func startUWSGI(t *testing.T, network, address string) {
	t.Helper()
	needUWSGI(t)
	cmd := exec.Command("uwsgi", "--plugin", "python3", "--socket", address, "--wsgi-file", "testdata/app.py",
		"--master", "--processes", "2", "--die-on-term", "--need-app", "--disable-logging")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-exited
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial(network, address); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("uWSGI ended: %v\n%s", err, log.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("uWSGI does not listen on %q", address)
		}
	}
}

// freePort returns a TCP address nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

func TestRealUWSGI(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "uwsgi.sock")
	for network, address := range map[string]string{"unix": socket, "tcp": freePort(t)} {
		t.Run(network, func(t *testing.T) {
			startUWSGI(t, network, address)
			testUWSGI(t, address)
		})
	}
}

func testUWSGI(t *testing.T, address string) {
	c := newClient(t, address, buffering)
	f := func(ex *exchange.Exchange, status int, body, fields string) {
		t.Helper()
		a := do(t, c, ex)
		if a.status != status || a.body != body || a.fields != fields || a.err != nil || a.broken != nil {
			t.Errorf("%s %s = %d %.60q %q, %v %v; want %d %.60q %q", ex.Method, ex.Target, a.status, a.body, a.fields, a.err, a.broken, status, body, fields)
		}
	}
	f(request("GET", "/read?a=b", ""), 200, "0|GET|/read|a=b|example.com:8080", "Content-Type=text/plain")
	f(request("POST", "/read", "hello"), 200, "5|POST|/read||example.com:8080", "Content-Type=text/plain")
	f(request("POST", "/read", strings.Repeat("x", 3<<20)), 200, "3145728|POST|/read||example.com:8080", "Content-Type=text/plain")
	f(request("HEAD", "/read", ""), 200, "", "Content-Type=text/plain")
	f(request("GET", "/large", ""), 200, strings.Repeat("x", 5000000), "")
	f(request("GET", "/sse", ""), 200, "data: 0\n\ndata: 1\n\ndata: 2\n\n", "Content-Type=text/event-stream")
	f(request("POST", "/unread", strings.Repeat("x", 3<<20)), 403, "no", "")
	cookie := request("GET", "/cookies", "")
	cookie.Fields = []exchange.Field{{Name: []byte("Cookie"), Value: []byte("c=3")}}
	f(cookie, 302, "c=3", "Location=/x Set-Cookie=a=1 Set-Cookie=b=2")

	if a := do(t, c, request("GET", "/fails", "")); a.status < 500 {
		t.Errorf("an application that raises = %d; want 500 or 502", a.status)
	}
	if a := do(t, c, request("GET", "/read?"+strings.Repeat("x", 8000), "")); a.status != 502 || !errors.Is(a.err, errNoAnswer) {
		t.Errorf("more than uWSGI's buffer-size = %d %v; want 502 that speaks of buffer-size", a.status, a.err)
	}
	hasty := newClient(t, address, func(c *Config) { c.ReadTimeout = 50 * time.Millisecond })
	if a := do(t, hasty, request("GET", "/slow", "")); a.status != 504 {
		t.Errorf("a slow application = %d %v; want 504", a.status, a.err)
	}
}
