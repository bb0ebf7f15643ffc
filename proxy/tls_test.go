package proxy

import (
	ctls "crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// recorder keeps what was read.
type recorder struct {
	net.Conn
	b []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.b = append(r.b, p[:n]...)
	return n, err
}

// lastRecord is the content type of the last record (RFC 5246 section 6.2.1).
func (r *recorder) lastRecord() (typ byte) {
	for b := r.b; len(b) >= 5; {
		typ = b[0]
		b = b[min(len(b), 5+int(b[3])<<8+int(b[4])):]
	}
	return typ
}

// dialTLS starts a server with TLS and connects to it, with TLS 1.2, where alerts can be told from data.
func dialTLS(t *testing.T, h exchange.Handler, edit func(*config.HTTP)) (*ctls.Conn, *recorder) {
	t.Helper()
	plain := startServer(t, h, edit)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewTLSServer(nil) // for its certificate
	defer other.Close()
	spec, err := config.ParseListen(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	spec.SSL, spec.DefaultServer = true, true
	cfg := config.DefaultServer()
	cfg.Listen, cfg.ServerName, cfg.HTTP = []config.Listen{spec}, []string{""}, *plain.settings.Load().Router.HTTP(plain.addr)
	cfg.Locations = []*config.Location{{Path: config.LocationPath{Path: "/"}, HTTP: cfg.HTTP}}
	router, err := NewRouter([]*config.Server{cfg}, func(*config.Server, *config.Location) (exchange.Handler, error) { return h, nil })
	if err != nil {
		t.Fatal(err)
	}
	serverTLS := &ctls.Config{Certificates: other.TLS.Certificates}
	srv := NewServer(&Settings{Router: router, TLS: func(string) *ctls.Config { return serverTLS }}, nil, zerolog.Nop())
	if err := srv.Listen(map[config.Listen]net.Listener{spec: ln}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(srv) })
	nc, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(15 * time.Second))
	r := &recorder{Conn: nc}
	return ctls.Client(r, &ctls.Config{InsecureSkipVerify: true, MaxVersion: ctls.VersionTLS12}), r
}

// TestTLSEnd: a connection ends with a close_notify (RFC 8446 section 6.1), by which the client of a response without a length knows that
// it is whole. A response that broke off has none.
func TestTLSEnd(t *testing.T) {
	f := func(name, request string, failed error) {
		t.Helper()
		c, r := dialTLS(t, func(ex *exchange.Exchange) error {
			p := &pieces{c: make(chan string, 1), failed: failed}
			p.c <- "piece"
			close(p.c)
			ex.Response.Status, ex.Response.Length, ex.Response.Stream = 200, -1, p
			return nil
		}, func(h *config.HTTP) { h.KeepaliveTimeout = 1 })
		io.WriteString(c, request)
		b, err := io.ReadAll(c)
		const alert = 21
		if whole := r.lastRecord() == alert; err != nil || !strings.Contains(string(b), "piece") || whole != (failed == nil) {
			t.Errorf("%s: got %q, %v, close_notify %t", name, b, err, whole)
		}
	}
	f("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", nil)
	f("close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", nil)
	f("keepalive_timeout", get, nil)
	f("broken off", "GET / HTTP/1.0\r\n\r\n", errors.New("boom"))
}
