package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"hognose/internal/exchange"
)

// serveRequest serves one request and reports whether the connection can be used for another.
func (c *conn) serveRequest() bool {
	if c.w == nil {
		if err := c.await(); err != nil || c.w == nil {
			return false
		}
	}
	if !c.beginRequest() {
		return false
	}
	start := time.Now()
	head, err := c.readHead()
	if err != nil {
		return c.refuse(err, start)
	}
	if head == nil {
		return false
	}
	w := c.w
	ex := &w.ex
	ex.Remote, ex.Local, ex.Scheme, ex.Start, ex.Gone = c.remote, c.local, "http", start, c.goneFn
	if c.tls != nil {
		state := c.tls.ConnectionState()
		ex.TLS, ex.Scheme = &state, "https"
	}
	c.requests++
	ex.ID = requestID(&w.id)
	settings := c.srv.settings.Load()
	perr := w.parse(head)
	if err := settings.Router.Guard(c.l.addr).Request(ex, &w.head, head, &w.header, perr); err != nil {
		return c.refuse(err, start)
	}
	return c.answer(settings.Router)
}

// readHead returns the next request head, which stays in w.in; nil when the client has left.
func (c *conn) readHead() ([]byte, error) {
	router := c.srv.settings.Load().Router
	guard, limits := router.Guard(c.l.addr), router.HTTP(c.l.addr)
	w := c.w
	armed := false
	for {
		if len(w.buffered()) > 0 {
			start, end, err := w.scanner.Scan(guard, w.buffered())
			if err != nil {
				return nil, err
			}
			if end > 0 {
				head := w.in[w.pos+start : w.pos+end]
				w.pos += end
				return head, nil
			}
		}
		if !armed {
			c.setPhase(phaseHead, limits.ClientHeaderTimeout.Std())
			armed = true
		}
		if err := c.fill(); err != nil {
			if c.timedOut(err) && len(w.buffered()) > 0 && !c.srv.draining.Load() {
				return nil, &exchange.StatusError{Code: http.StatusRequestTimeout, Err: err, Close: true}
			}
			return nil, nil
		}
	}
}

// fill reads more into w.in, which the scanner has bounded.
func (c *conn) fill() error {
	w := c.w
	if w.pos > 0 {
		w.in = w.in[:copy(w.in, w.buffered())]
		w.pos = 0
	}
	if len(w.in) == cap(w.in) {
		w.in = append(make([]byte, 0, 2*cap(w.in)), w.in...)
	}
	n, err := c.read(w.in[len(w.in):cap(w.in)])
	w.in = w.in[:len(w.in)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// answer routes a good request, runs its handler and writes the response.
func (c *conn) answer(router *Router) bool {
	w := c.w
	ex := &w.ex
	loc, err := router.Route(c.l.addr, ex, &w.head)
	limits := &loc.HTTP
	if err == nil {
		err = c.openBody(limits)
	}
	c.setPhase(phaseHandler, 0)
	if err == nil {
		err = c.call(loc.Handler, ex)
	}
	if err != nil {
		c.fail(ex, err)
	}
	keep := c.respond(limits)
	c.srv.logAccess(c, ex)
	ex.Response.Release()
	if !keep {
		return false
	}
	return c.next(limits.KeepaliveTimeout.Std())
}

// call runs a handler. A panic in it costs its client an error, and nobody else anything.
func (c *conn) call(h exchange.Handler, ex *exchange.Exchange) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.srv.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Bytes("request_id", ex.ID).Msg("bug: a handler panicked")
			err = &exchange.StatusError{Code: http.StatusInternalServerError, Err: errors.New("handler panicked"), Close: true}
		}
	}()
	return h(ex)
}

// next makes the connection ready for another request: the next one may be in the buffer already.
func (c *conn) next(keepalive time.Duration) bool {
	w := c.w
	w.takeBack()
	w.resetRequest()
	if len(w.buffered()) > 0 {
		return true
	}
	c.setPhase(phaseIdle, keepalive)
	w.release()
	c.w = nil
	return !c.srv.draining.Load()
}

// fail turns an error into a response, and logs what is not the client's doing.
func (c *conn) fail(ex *exchange.Exchange, err error) {
	code := exchange.StatusOf(err)
	ev := c.srv.log.Debug()
	switch code {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported: // what the guard does not know
	default:
		if code >= 500 {
			ev = c.srv.log.Error()
		}
	}
	ev.Err(err).Int("status", code).Bytes("request_id", ex.ID).Bytes("method", ex.Method).Bytes("host", ex.Host).
		Bytes("uri", ex.Target).Str("remote", ex.Remote.String()).Msg("request failed")
	ex.Response.Release()
	RenderError(ex, err)
}

// refuse answers a request that the guard did not let pass.
func (c *conn) refuse(err error, start time.Time) bool {
	ex := &c.w.ex
	ex.Start, ex.Remote, ex.Local, ex.Scheme = start, c.remote, c.local, "http"
	if c.tls != nil {
		ex.Scheme = "https"
	}
	if ex.ID == nil {
		ex.ID = requestID(&c.w.id)
	}
	c.w.body.broken = true
	if ex.Proto == 0 {
		ex.Proto = exchange.HTTP11
	}
	c.fail(ex, err)
	c.respond(c.http())
	c.srv.logAccess(c, ex)
	return false
}

var randomPool = sync.Pool{New: func() any { return &randomBytes{} }}

// randomBytes is a stock of random bytes: one read of many costs far less than many reads of few.
type randomBytes struct {
	b [1024]byte
	n int // bytes left
}

// requestID writes 32 random hexadecimal digits (nginx: $request_id).
func requestID(dst *[32]byte) []byte {
	r := randomPool.Get().(*randomBytes)
	if r.n < 16 {
		rand.Read(r.b[:])
		r.n = len(r.b)
	}
	hex.Encode(dst[:], r.b[r.n-16:r.n])
	r.n -= 16
	randomPool.Put(r)
	return dst[:]
}
