package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is a steady stream of requests over several connections. It never repeats a request
// by itself, as net/http's client does, so that each failure is counted.
type load struct {
	t       *testing.T
	address string
	request string
	// check says what is wrong with a complete response, "" for nothing.
	check func(answer) string
	// redial lets a connection that broke be opened again without counting as a failure:
	// for tests that kill the front.
	redial bool

	served atomic.Int64
	stop   chan struct{}
	wait   sync.WaitGroup

	mu       sync.Mutex // guards failures
	failures []string
}

// startLoad runs requests until finish is called. Half of the connections are kept alive,
// half make one request each.
func (s *server) startLoad(connections int, path string, check func(answer) string) *load {
	return s.startLoadWith(&load{check: check}, connections, path)
}

func (s *server) startLoadWith(l *load, connections int, path string) *load {
	s.t.Helper()
	l.t, l.address, l.stop = s.t, s.address("$HTTP"), make(chan struct{})
	for i := range connections {
		request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n"
		if i%2 == 1 {
			request += "Connection: close\r\n"
		}
		l.wait.Go(func() { l.run(request + "\r\n") })
	}
	return l
}

// body200 wants a 200 with that body.
func body200(body string) func(answer) string {
	return func(a answer) string {
		if a.status != 200 || a.body != body {
			return fmt.Sprintf("got %d %q; want 200 %q", a.status, short(a.body), body)
		}
		return ""
	}
}

func (l *load) run(request string) {
	var c *loadConn
	for {
		select {
		case <-l.stop:
			c.close()
			return
		default:
		}
		var err error
		if c, err = l.once(c, request); err != nil {
			c.close()
			c = nil
			if !l.redial {
				l.fail(err.Error())
			}
			// A server that is down must not be asked a thousand times a millisecond.
			time.Sleep(time.Millisecond)
		}
	}
}

// loadConn is one connection of the load.
type loadConn struct {
	net.Conn
	r      *bufio.Reader
	served int
}

func (c *loadConn) close() {
	if c != nil {
		c.Close()
	}
}

// once makes one request on c, or on a new connection, and returns the connection if it can be used again.
func (l *load) once(c *loadConn, request string) (*loadConn, error) {
	if c == nil {
		conn, err := net.DialTimeout("tcp", l.address, patience)
		if err != nil {
			return nil, err
		}
		c = &loadConn{Conn: conn, r: bufio.NewReader(conn)}
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		return c, fmt.Errorf("request %d of its connection: %w", c.served+1, err)
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return c, fmt.Errorf("request %d of its connection: %w", c.served+1, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return c, fmt.Errorf("request %d of its connection: body: %w", c.served+1, err)
	}
	c.served++
	if wrong := l.check(answer{status: resp.StatusCode, header: resp.Header, body: string(body)}); wrong != "" {
		l.fail(wrong)
	}
	l.served.Add(1)
	if resp.Close || strings.Contains(request, "Connection: close") {
		c.Close()
		return nil, nil
	}
	return c, nil
}

func (l *load) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, what)
}

// more waits until n further requests have been served.
func (l *load) more(n int64) {
	l.t.Helper()
	target := l.served.Load() + n
	eventually(l.t, fmt.Sprintf("%d more requests are served", n), func() bool { return l.served.Load() >= target })
}

// finish stops the load and fails the test for each failed request.
func (l *load) finish() {
	l.t.Helper()
	close(l.stop)
	l.wait.Wait()
	for i, failure := range l.failures {
		if i == 10 {
			l.t.Errorf("… and %d more", len(l.failures)-i)
			break
		}
		l.t.Errorf("failed request: %s", failure)
	}
	if l.served.Load() == 0 {
		l.t.Error("no request was served at all")
	}
	l.t.Logf("%d requests served, %d failed", l.served.Load(), len(l.failures))
}
