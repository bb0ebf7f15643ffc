package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// logBuffer keeps log lines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestWhatIsLogged: what goes wrong on our side is in the log, once; what a client does is not, or it could fill the disk.
func TestWhatIsLogged(t *testing.T) {
	f := func(name, request string, h exchange.Handler, want int) {
		t.Helper()
		log := &logBuffer{}
		s := startLogging(t, h, func(h *config.HTTP) { h.SendTimeout = 1 }, zerolog.New(log).Level(zerolog.WarnLevel))
		c := s.dial()
		c.send(request)
		io.Copy(io.Discard, c.br)
		shutdown(s.Server)
		if got := strings.Count(log.String(), "\n"); got != want {
			t.Errorf("%s: %d lines in the log: %s; want %d", name, got, log, want)
		}
	}
	stream := func(length int64, failed error) exchange.Handler {
		return func(ex *exchange.Exchange) error {
			p := &pieces{c: make(chan string), failed: failed}
			close(p.c)
			ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, length, p
			return nil
		}
	}
	f("handler fails", "GET / HTTP/1.0\r\n\r\n", func(*exchange.Exchange) error { return errors.New("boom") }, 1)
	f("handler panics", get, func(*exchange.Exchange) error { panic("boom") }, 2)
	f("stream breaks off", get, stream(-1, errors.New("boom")), 1)
	f("stream is too short", get, stream(10, nil), 1)
	f("client left", get, stream(-1, fmt.Errorf("boom: %w", &exchange.StatusError{Code: exchange.ClientClosed})), 0)
	f("bad request", "GET / HTTP/1.1\r\n\r\n", echo, 0)
	f("unknown coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", echo, 0)
	f("unknown version", "GET / HTTP/3.7\r\nHost: x\r\n\r\n", echo, 0)
}
