package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// slowClients is how many clients crawl at once, with two workers behind the front.
const slowClients = 500

// TestSlowReaders: 500 clients that take their responses sip by sip hold no worker.
func TestSlowReaders(t *testing.T) {
	s := start(t, slowSite)
	const size = 1 << 20
	conns := s.manyConns(fmt.Sprintf("GET /download?%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", size))
	// Each response has begun before the workers are asked for more.
	each(conns, func(c *rawConn) { c.readUntil("\r\n\r\n") })
	s.wantHello(200)
	// Nobody is forgotten: who goes on reading gets all of it.
	for _, c := range conns[:20] {
		if n := len(c.rest()); n != size {
			t.Errorf("a slow reader got %d bytes; want %d", n, size)
		}
	}
	s.wantHello(20)
}

// TestSlowUploaders: 500 clients that send their bodies drop by drop hold no worker.
func TestSlowUploaders(t *testing.T) {
	s := start(t, slowSite)
	const size = 100_000
	conns := s.manyConns(fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size))
	drop := strings.Repeat("x", 10)
	for range 5 {
		each(conns, func(c *rawConn) { c.send(drop) })
		s.wantHello(40)
	}
	for _, c := range conns[:20] {
		c.send(strings.Repeat("x", size-5*len(drop)))
		if a := c.read("POST"); a.status != 200 || !strings.HasPrefix(a.body, itoa(size)+" ") {
			t.Errorf("a slow uploader got %d %q; want 200", a.status, a.body)
		}
	}
}

// slowSite has the slow application, and hello, on the same two workers.
var slowSite = site{module: "slow:app", app: "processes = 2", server: `client_max_body_size = "8m"`}.String()

// manyConns opens slowClients connections that take in little, and sends a request on each.
func (s *server) manyConns(request string) []*rawConn {
	s.t.Helper()
	conns := make([]*rawConn, slowClients)
	for i := range conns {
		conns[i] = dialWith(s.t, smallWindow, s.address("$HTTP"))
		conns[i].send(request)
	}
	return conns
}

// smallWindow dials with a small receive buffer. It has to be small before the connection is made: the sender waits for half of
// the largest window it has seen.
var smallWindow = net.Dialer{
	Timeout: patience,
	Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
		}); e != nil {
			return e
		}
		return err
	},
}

func each(conns []*rawConn, f func(*rawConn)) {
	var wait sync.WaitGroup
	for _, c := range conns {
		wait.Go(func() { f(c) })
	}
	wait.Wait()
}

// wantHello makes n requests, one after the other, and wants each answered.
func (s *server) wantHello(n int) {
	s.t.Helper()
	c := s.dial()
	for range n {
		c.send("GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.read("GET").wantStatus(s.t, 200)
	}
}

// TestManyIdleConnections: connections that wait for nothing cost no worker, and are closed in the end by a stop.
func TestManyIdleConnections(t *testing.T) {
	s := start(t, slowSite)
	conns := s.manyConns("GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
	each(conns, func(c *rawConn) { c.read("GET").wantStatus(t, 200) })
	s.wantHello(20)
	for _, c := range conns[:20] {
		c.send("GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.read("GET").wantStatus(t, 200)
	}
	_, _ = io.WriteString(conns[20], "GET /p")
	s.wantHello(1)
}
