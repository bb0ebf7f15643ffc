package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// joinSize is the size up to which a body is copied behind its head, to be written at once.
const joinSize = 32 << 10

// connAge is the age at which a connection is closed after a response (nginx: keepalive_time).
const connAge = 3600e9

// respond writes ex.Response and reports whether the connection can be used again.
func (c *conn) respond(limits *config.HTTP) bool {
	w := c.w
	ex := &w.ex
	r := &ex.Response
	if r.Status == exchange.ClientClosed {
		return false
	}
	c.sendTimeout = limits.SendTimeout.Std()
	c.sent = 0
	f := c.frame(ex, limits)
	c.setPhase(phaseWrite, c.sendTimeout)
	w.out = c.appendHead(w.out[:0], ex, f, limits.ServerTokens)
	err := c.writeBody(ex, f)
	if err != nil {
		c.tear(ex, err)
		return false
	}
	if !f.keep && (w.body.c != nil && !w.body.done || w.body.broken || c.sendsMore()) {
		c.linger()
	}
	return f.keep
}

// tear notes that a response was not sent completely, so that the connection does not end as if it were. A client that left is its
// own doing; all else has no other place where it is logged.
func (c *conn) tear(ex *exchange.Exchange, err error) {
	c.torn = true
	ev := c.srv.log.Error()
	if errors.Is(err, errClientGone) || exchange.StatusOf(err) == exchange.ClientClosed {
		ev = c.srv.log.Debug()
	}
	ev.Err(err).Bytes("request_id", ex.ID).Bytes("method", ex.Method).Bytes("host", ex.Host).
		Bytes("uri", ex.Target).Str("remote", ex.Remote.String()).Msg("response was not sent completely")
}

// framing is how a response is delimited (RFC 9112 section 6.3).
type framing struct {
	body    bool  // there is one
	length  int64 // Content-Length, -1 is none
	chunked bool
	keep    bool // the connection stays open
}

func (c *conn) frame(ex *exchange.Exchange, limits *config.HTTP) framing {
	r := &ex.Response
	f := framing{length: r.Length}
	switch {
	case r.File != nil:
		f.length = r.File.N
	case r.Stream == nil && !ex.IsHead():
		f.length = int64(len(r.Body))
	}
	f.body = !ex.IsHead() && r.Status != http.StatusNoContent && r.Status != http.StatusNotModified
	if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified && r.Body == nil && r.File == nil {
		f.length = -1
	}
	f.keep = c.w.head.KeepAlive && !r.Close && c.w.body.finish() && !c.srv.draining.Load() &&
		limits.KeepaliveTimeout > 0 && c.requests < limits.KeepaliveRequests && c.srv.clock.nanos.Load()-c.opened < connAge
	if f.body && f.length < 0 {
		f.chunked = ex.Proto >= exchange.HTTP11
		f.keep = f.keep && f.chunked
	}
	return f
}

// appendHead writes the status line and the header fields.
func (c *conn) appendHead(b []byte, ex *exchange.Exchange, f framing, tokens bool) []byte {
	r := &ex.Response
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	if len(r.Reason) > 0 {
		b = append(b, r.Reason...)
	} else {
		b = append(b, http.StatusText(r.Status)...)
	}
	b = append(b, "\r\nServer: hognose"...)
	if tokens {
		b = append(append(b, '/'), c.srv.settings.Load().Version...)
	}
	b = append(b, '\r', '\n')
	b = append(b, *c.srv.clock.date.Load()...)
	for i := range r.Fields {
		b = append(b, r.Fields[i].Name...)
		b = append(b, ": "...)
		b = append(b, r.Fields[i].Value...)
		b = append(b, '\r', '\n')
	}
	switch {
	case f.chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case f.length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, f.length, 10)
		b = append(b, '\r', '\n')
	}
	switch {
	case !f.keep:
		b = append(b, "Connection: close\r\n"...)
	case ex.Proto < exchange.HTTP11:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, '\r', '\n')
}

// writeBody writes the head that waits in w.out, and the body.
func (c *conn) writeBody(ex *exchange.Exchange, f framing) error {
	r := &ex.Response
	w := c.w
	switch {
	case !f.body:
		return c.write(w.out, false)
	case r.File != nil:
		return c.writeFile(r.File)
	case r.Stream != nil:
		return c.writeStream(r.Stream, f)
	case len(r.Body) <= joinSize:
		c.sent += int64(len(r.Body))
		w.out = append(w.out, r.Body...)
		return c.write(w.out, false)
	}
	if err := c.write(w.out, true); err != nil {
		return err
	}
	c.sent += int64(len(r.Body))
	return c.write(r.Body, false)
}

// writeStream writes a body as it is made. Small pieces that come together leave together. The time in which the next piece is
// made does not count as the client's: who makes it has deadlines of its own.
func (c *conn) writeStream(s exchange.Stream, f framing) error {
	w := c.w
	for {
		c.setPhase(phaseHandler, 0)
		p, more, err := s.Next()
		c.setPhase(phaseWrite, c.sendTimeout)
		if err == io.EOF {
			break
		}
		if err != nil {
			c.write(w.out, false)
			return fmt.Errorf("response breaks off: %w", err)
		}
		if f.length >= 0 && c.sent+int64(len(p)) > f.length {
			p = p[:f.length-c.sent]
		}
		c.sent += int64(len(p))
		if err := c.writePiece(p, more, f); err != nil {
			return err
		}
	}
	if f.length >= 0 && c.sent < f.length {
		c.write(w.out, false)
		return fmt.Errorf("response has %d bytes; its Content-Length says %d", c.sent, f.length)
	}
	if f.chunked {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	if len(w.out) == 0 {
		return nil
	}
	return c.write(w.out, false)
}

// writePiece writes one piece of a stream, or keeps it in w.out when more follows at once.
func (c *conn) writePiece(p []byte, more bool, f framing) error {
	w := c.w
	if len(p) == 0 {
		return nil
	}
	if f.chunked {
		w.out = strconv.AppendInt(w.out, int64(len(p)), 16)
		w.out = append(w.out, '\r', '\n')
	}
	if len(p) <= joinSize {
		w.out = append(w.out, p...)
	} else {
		if err := c.write(w.out, true); err != nil {
			return err
		}
		w.out = w.out[:0]
		if err := c.write(p, f.chunked || more); err != nil {
			return err
		}
	}
	if f.chunked {
		w.out = append(w.out, '\r', '\n')
	}
	if more && len(w.out) < joinSize {
		return nil
	}
	err := c.write(w.out, false)
	w.out = w.out[:0]
	return err
}

var errClientGone = errors.New("client has gone")

// logAccess notes the exchange in the access log.
func (s *Server) logAccess(c *conn, ex *exchange.Exchange) {
	if s.access != nil {
		s.access.Log(ex, c.w.head.Line, c.sent)
	}
}
