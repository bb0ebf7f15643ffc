package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// A timeout long enough for a busy machine, and pauses beyond it for the janitor to have looked at a connection several times.
const (
	timeout = config.Duration(time.Second)
	pauses  = time.Second + 3*janitorInterval
)

// slowly is a stream whose pieces come with pauses between them, for the client's deadlines to pass meanwhile.
type slowly struct {
	left  int
	pause time.Duration
}

func (s *slowly) Next() ([]byte, bool, error) {
	if s.left--; s.left < 0 {
		return nil, false, io.EOF
	}
	time.Sleep(s.pause)
	return []byte("piece"), false, nil
}

// TestSendTimeoutIsTheClients: send_timeout is about a client that accepts nothing. One that takes every piece at once is not
// cut off, however long the response is in the making.
func TestSendTimeoutIsTheClients(t *testing.T) {
	f := func(name string, n int, pause time.Duration) {
		t.Helper()
		c := startServer(t, func(ex *exchange.Exchange) error {
			ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, -1, &slowly{left: n, pause: pause}
			return nil
		}, func(h *config.HTTP) { h.SendTimeout = timeout }).dial()
		c.send(get)
		if _, body := c.receive("GET"); body != strings.Repeat("piece", n) {
			t.Errorf("%s: got %q; want %d pieces", name, body, n)
		}
	}
	f("pauses", 2, pauses)
	f("a long response", 50, pauses/20)
}

// TestBodyTimeoutIsTheClients: once the body has come, the time that the handler takes is not the client's.
func TestBodyTimeoutIsTheClients(t *testing.T) {
	c := startServer(t, func(ex *exchange.Exchange) error {
		err := echo(ex)
		time.Sleep(pauses)
		return err
	}, func(h *config.HTTP) { h.ClientBodyTimeout = timeout }).dial()
	for range 2 {
		c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		if line, err := c.br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("got %q, %v; want 100", line, err)
		}
		c.br.ReadString('\n')
		c.send("body")
		if resp, body := c.receive("POST"); resp.StatusCode != http.StatusOK || resp.Close || body != "POST / body" {
			t.Fatalf("got %d, close %t, %q; want 200 and a connection that stays", resp.StatusCode, resp.Close, body)
		}
	}
}
