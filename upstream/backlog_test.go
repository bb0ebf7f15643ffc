package upstream

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFullBacklog: a Unix socket with a full backlog refuses with EAGAIN; that is waited for.
func TestFullBacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	must(t, unix.Listen(fd, 0))
	waiting, err := net.Dial("unix", path)
	must(t, err)
	defer waiting.Close()

	c := newClient(t, path, func(c *Config) { c.ConnectTimeout = 20 * time.Millisecond })
	if a := do(t, c, request("GET", "/", "")); a.status != 504 || !strings.Contains(a.err.Error(), "backlog") {
		t.Errorf("a full backlog = %d %v; want 504", a.status, a.err)
	}

	asked := make(chan struct{})
	ex := request("GET", "/", "")
	ex.Gone = func() bool { // asked between attempts
		select {
		case <-asked:
		default:
			close(asked)
		}
		return false
	}
	go func() {
		<-asked
		for range 2 { // the waiting connection, then the request's
			conn, _, err := unix.Accept(fd)
			if err != nil {
				return
			}
			unix.Write(conn, []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			unix.Shutdown(conn, unix.SHUT_WR)
			defer unix.Close(conn)
		}
	}()
	if a := do(t, newClient(t, path), ex); a.status != 200 || a.body != "ok" {
		t.Errorf("a backlog that empties = %d %v; want 200", a.status, a.err)
	}
}
