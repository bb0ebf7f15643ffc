package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hognose/internal/exchange"
)

// canary follows a request that must be refused. If it runs, the refused request was smuggled past the guard.
const canary = "GET /canary HTTP/1.1\r\nHost: h\r\n\r\n"

// canaryServer counts the canaries that run.
func canaryServer(t *testing.T) (s *testServer, runs *atomic.Int32) {
	t.Helper()
	runs = new(atomic.Int32)
	return startServer(t, func(ex *exchange.Exchange) error {
		if bytes.Contains(ex.Target, []byte("canary")) {
			runs.Add(1)
		}
		return echo(ex)
	}, nil), runs
}

// Each bad request, cut in two at every byte and followed by a canary, is refused, and the canary never runs.
func TestGuardOnWire(t *testing.T) {
	s, runs := canaryServer(t)
	var wg sync.WaitGroup
	places := make(chan struct{}, 8)
	for _, rule := range rules() {
		if rule.status == 200 || rule.open {
			continue
		}
		for _, req := range rule.requests {
			wg.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				step := 1 + len(req)/200
				for cut := 0; cut < len(req); cut += step {
					if err := wantRefused(s.addr, req[:cut], req[cut:]+canary, rule.status); err != nil {
						t.Errorf("%s: %s cut at %d: %v", rule.name, short(req), cut, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if n := runs.Load(); n != 0 {
		t.Errorf("%d canaries ran", n)
	}
}

// wantRefused sends two pieces and wants one answer with that status, and the end of the connection.
func wantRefused(addr, first, second string, status int) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(15 * time.Second))
	for _, piece := range []string{first, second} {
		if _, err := io.WriteString(nc, piece); err != nil {
			break // refused already
		}
	}
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != status || !resp.Close {
		return fmt.Errorf("got %d, close %t; want %d, and close", resp.StatusCode, resp.Close, status)
	}
	if rest, err := io.ReadAll(br); len(rest) > 0 {
		return fmt.Errorf("the connection goes on with %.100q, %v", rest, err)
	}
	return nil
}

// A chunked body that is wrong ends the connection: what follows it never becomes a request.
func TestChunkedOnWire(t *testing.T) {
	s, runs := canaryServer(t)
	for _, body := range []string{
		"0x5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
		"-5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffffff\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n", "0\r\nHost: h\r\n\r\n",
		"0\r\n" + canary, "5;" + strings.Repeat("x", 20000) + "\r\nhello\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "0\r\n\n", "5\r\nhello\r\n\r\n0\r\n\r\n",
	} {
		const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		for cut := 0; cut < len(body); cut += 1 + len(body)/50 {
			if err := wantRefused(s.addr, head+body[:cut], body[cut:]+canary, 400); err != nil {
				t.Errorf("%s cut at %d: %v", short(body), cut, err)
				break
			}
		}
	}
	if n := runs.Load(); n != 0 {
		t.Errorf("%d canaries ran", n)
	}
}

// A good request, cut in two at every byte, is answered, and so is the one behind it.
func TestGoodRequestOnWire(t *testing.T) {
	s, runs := canaryServer(t)
	for _, req := range []string{
		"POST /a%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
		"\r\nPOST /a%20b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
	} {
		runs.Store(0)
		for cut := range len(req) {
			if err := wantTwoAnswers(s.addr, req[:cut], req[cut:]+canary); err != nil {
				t.Fatalf("%q cut at %d: %v", req, cut, err)
			}
		}
		if n := int(runs.Load()); n != len(req) {
			t.Errorf("%d of %d requests behind the first were answered", n, len(req))
		}
	}
}

func wantTwoAnswers(addr, first, second string) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(15 * time.Second))
	_, err = io.WriteString(nc, first)
	_, err2 := io.WriteString(nc, second)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	br := bufio.NewReader(nc)
	for _, want := range []string{"POST /a b hello", "GET /canary "} {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return err
		}
		if body, err := io.ReadAll(resp.Body); string(body) != want || resp.StatusCode != 200 {
			return fmt.Errorf("got %d %q, %v; want 200 %q", resp.StatusCode, body, err, want)
		}
	}
	return nil
}
