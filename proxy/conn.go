package proxy

import (
	ctls "crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/config"
)

// phase is what a connection is doing, for deadlines and for shedding.
type phase int64

const (
	phaseHandshake phase = iota // TLS
	phaseFirst                  // nothing has come yet
	phaseIdle                   // between requests
	phaseHead                   // a request head is arriving
	phaseBody                   // a request body is being read
	phaseHandler                // the handler works; no deadline of ours
	phaseWrite                  // a response is being written
	phaseLinger                 // closed for sending, reading what the client still sends
	phaseEnded                  // ended while it waited for a request: none is taken any more

	phaseMask = 15 // the bits of conn.standing that hold the phase; the deadline is that much less precise
)

// handshakeTimeout is the time for a TLS handshake.
const handshakeTimeout = 10 * time.Second

// aLongTimeAgo is a deadline in the past: it wakes whoever waits for the connection.
var aLongTimeAgo = time.Unix(1, 0)

// conn is one client connection. Its goroutine owns everything but the atomics. What is needed only
// while a request is served is in work, so that an idle connection costs little.
type conn struct {
	srv    *Server
	l      *listener
	nc     net.Conn // TCP or Unix
	raw    syscall.RawConn
	tls    *ctls.Conn // nil without TLS
	remote netip.AddrPort
	local  netip.AddrPort

	shard *shard
	place int  // in shard.conns, guarded by shard.mu
	perIP bool // counted by Server.perIP

	// standing is the phase and its deadline, in one word so that nobody sees the one with the other's: UnixNano of the
	// deadline, 0 is none, its low bits replaced by the phase.
	standing atomic.Int64
	expired  atomic.Uint32 // waitGoesOn, waitExpired or waitCut

	requests int
	opened   int64 // UnixNano
	w        *work // nil while idle

	// of the read that is going on
	readFn func(fd uintptr) bool
	dst    []byte
	n      int
	err    error
	goneFn func() bool

	torn bool // a response was not sent completely
	// of the response that is being written
	sendTimeout time.Duration
	sent        int64 // body bytes
	o           output
	writeFn     func(fd uintptr) bool
	fileFn      func(fd uintptr) bool
}

func newConn(s *Server, l *listener, nc net.Conn) *conn {
	c := &conn{srv: s, l: l, nc: nc, remote: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr()), opened: s.clock.nanos.Load()}
	c.readFn = c.readOnce
	c.goneFn = c.gone
	c.writeFn = c.writeOnce
	c.fileFn = c.fileOnce
	return c
}

// serve is the life of the connection.
func (c *conn) serve() {
	defer c.end()
	raw, err := c.nc.(syscall.Conn).SyscallConn()
	if err != nil {
		c.srv.log.Error().Err(err).Msg("cannot serve a connection")
		return
	}
	c.raw = raw
	spec := c.l.spec.Load()
	if spec.UWSGI {
		c.serveUWSGI()
		return
	}
	if spec.SSL && !c.handshake() {
		return
	}
	c.setPhase(phaseFirst, c.http().ClientHeaderTimeout.Std())
	if c.srv.draining.Load() {
		return
	}
	for c.serveRequest() {
	}
}

// end closes the connection and forgets it. A panic ends this connection, not the process: its cause goes to the log.
func (c *conn) end() {
	if r := recover(); r != nil {
		c.torn = true
		c.srv.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("bug: a connection's goroutine panicked")
	}
	if c.w != nil {
		c.w.ex.Response.Release() // not yet released after a panic only
		c.w.release()
		c.w = nil
	}
	if c.tls != nil && !c.torn {
		c.tls.CloseWrite() // close_notify: without it a client of a response without a length cannot tell that it is whole
	}
	c.nc.Close()
	if c.perIP {
		c.srv.perIP.leave(c.remote.Addr())
	}
	c.srv.conns.remove(c)
	c.srv.wg.Done()
}

// http returns the settings that apply before the host is known: those of the listener's default server.
func (c *conn) http() *config.HTTP { return c.srv.settings.Load().Router.HTTP(c.l.addr) }

// setPhase notes what the connection does and when that must have ended; 0 is never.
func (c *conn) setPhase(p phase, d time.Duration) {
	var at int64
	if d > 0 {
		at = c.srv.clock.nanos.Load() + int64(d) + int64(janitorInterval)
	}
	c.standing.Store(at&^phaseMask | int64(p))
}

// unpack splits what conn.standing holds.
func unpack(standing int64) (p phase, deadline int64) {
	return phase(standing & phaseMask), standing &^ phaseMask
}

// beginRequest notes that the first byte of a request has come. It reports false when the connection was ended before: a
// request that nobody would answer must not reach a handler.
func (c *conn) beginRequest() bool {
	for {
		s := c.standing.Load()
		if p, _ := unpack(s); p == phaseEnded {
			return false
		}
		if c.standing.CompareAndSwap(s, int64(phaseHead)) {
			return true
		}
	}
}

// endWait ends the wait for a request, of a connection that stood as s, unless the request has come meanwhile.
func (c *conn) endWait(s int64) {
	if c.standing.CompareAndSwap(s, int64(phaseEnded)) {
		c.cut()
	}
}

// How a connection's waiting stands.
const (
	waitGoesOn  = iota
	waitExpired // a read took too long: an answer may still be written
	waitCut     // the connection is over
)

// expire ends a wait that has taken too long; the janitor calls it.
func (c *conn) expire(now int64) {
	s := c.standing.Load()
	p, at := unpack(s)
	if at == 0 || now <= at {
		return
	}
	switch p {
	case phaseFirst, phaseIdle:
		c.endWait(s)
	case phaseHead, phaseBody:
		if c.expired.CompareAndSwap(waitGoesOn, waitExpired) {
			c.nc.SetReadDeadline(aLongTimeAgo)
		}
	default:
		c.cut()
	}
}

// revive lets the connection read again after a wait expired, so that it can linger.
func (c *conn) revive() {
	if c.expired.CompareAndSwap(waitExpired, waitGoesOn) {
		c.nc.SetReadDeadline(time.Time{})
		if c.expired.Load() == waitCut {
			c.nc.SetDeadline(aLongTimeAgo)
		}
	}
}

// expireIdle ends the wait for a first or a next request.
func (c *conn) expireIdle() {
	s := c.standing.Load()
	if p, _ := unpack(s); p == phaseIdle || p == phaseFirst {
		c.endWait(s)
	}
}

// cut ends whatever the connection waits for, as its deadline would.
func (c *conn) cut() {
	c.expired.Store(waitCut)
	c.nc.SetDeadline(aLongTimeAgo)
}

// handshake begins TLS. A client that speaks HTTP is told so, as nginx does.
func (c *conn) handshake() bool {
	configFor := c.srv.settings.Load().TLS
	if configFor == nil {
		return false
	}
	c.setPhase(phaseHandshake, handshakeTimeout)
	c.tls = ctls.Server(c.nc, configFor(c.l.addr))
	err := c.tls.Handshake()
	if err == nil {
		return true
	}
	var plain ctls.RecordHeaderError
	if errors.As(err, &plain) && looksLikeHTTP(plain.RecordHeader) {
		io.WriteString(c.nc, plainOnTLS)
		c.linger()
	}
	c.srv.log.Debug().Err(err).Stringer("remote", c.remote).Msg("TLS handshake ended without a connection")
	return false
}

const plainOnTLS = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 51\r\nConnection: close\r\n\r\n" +
	"The plain HTTP request was sent to an HTTPS port.\r\n"

// looksLikeHTTP reports whether the first five bytes are letters, as those of a method or of "GET /" are.
func looksLikeHTTP(b [5]byte) bool {
	for _, x := range b[:3] {
		if x < 'A' || x > 'Z' {
			return false
		}
	}
	return true
}

// read reads once, waiting for at least one byte.
func (c *conn) read(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Read(p)
	}
	c.dst = p
	err := c.raw.Read(c.readFn)
	c.dst = nil
	if err == nil {
		err = c.err
	}
	if err == nil && c.n == 0 {
		err = io.EOF
	}
	return max(c.n, 0), err
}

// readOnce is one read(2) without blocking, into dst or, on an idle connection, into memory that it takes
// for this purpose only when there is something to read.
func (c *conn) readOnce(fd uintptr) bool {
	dst := c.dst
	idle := dst == nil
	if idle {
		c.w = newWork()
		dst = c.w.in[:cap(c.w.in)]
	}
	for {
		c.n, c.err = rawRead(fd, dst)
		if c.err != unix.EINTR {
			break
		}
	}
	if c.err != unix.EAGAIN {
		return true
	}
	if idle {
		c.w.release()
		c.w = nil
	}
	c.n = 0
	return false
}

// await waits for the first byte of a request without holding a buffer, and leaves what came in w.in.
func (c *conn) await() error {
	if c.tls != nil {
		// TLS keeps what it has decrypted: a read of one byte costs no system call more.
		var first [1]byte
		n, err := c.tls.Read(first[:])
		if n == 0 {
			return err
		}
		c.w = newWork()
		c.w.in = append(c.w.in, first[0])
		return nil
	}
	n, err := c.read(nil)
	if c.w != nil {
		c.w.in = c.w.in[:n]
	}
	return err
}

// timedOut reports whether err is the end of a read that took too long.
func (c *conn) timedOut(err error) bool {
	return c.expired.Load() == waitExpired && errors.Is(err, os.ErrDeadlineExceeded)
}

// gone reports whether the client has closed its side, or the connection was cut, without blocking: exchange.Exchange.Gone.
func (c *conn) gone() bool {
	return c.expired.Load() == waitCut || c.poll(unix.POLLRDHUP)
}

// sendsMore reports whether something has come that will not be read, such as another request.
func (c *conn) sendsMore() bool {
	return len(c.w.buffered()) > 0 || c.poll(unix.POLLIN)
}

// poll reports whether one of the events, or an error, is there now.
func (c *conn) poll(events int16) (there bool) {
	c.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(p, 0)
		there = err == nil && n > 0
	})
	return there
}

// Limits of linger, as nginx's lingering_close.
const (
	lingerTime    = 30 * time.Second
	lingerTimeout = 5 * time.Second
	lingerBytes   = 1 << 20
)

// linger closes the sending side and reads on for a while: closing with unread bytes would reset the
// connection, and the client might lose the response (RFC 9112 section 9.6).
func (c *conn) linger() {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok {
		if c.tls != nil {
			c.tls.CloseWrite()
		}
		cw.CloseWrite()
	}
	c.revive()
	end := c.srv.clock.nanos.Load() + int64(lingerTime)
	buf := make([]byte, 4<<10)
	for n := 0; n < lingerBytes && c.srv.clock.nanos.Load() < end && c.expired.Load() == waitGoesOn; {
		c.setPhase(phaseLinger, lingerTimeout)
		m, err := c.nc.Read(buf)
		if err != nil {
			return
		}
		n += m
	}
}
