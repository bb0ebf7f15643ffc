package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"hognose/internal/config"
)

// listener is one listening socket and its accept loop.
type listener struct {
	srv    *Server
	ln     net.Listener
	addr   string // key of the address, for the router
	spec   atomic.Pointer[config.Listen]
	closed atomic.Bool
}

func newListener(s *Server, spec config.Listen, ln net.Listener) (*listener, error) {
	switch l := ln.(type) {
	case *net.TCPListener:
	case *net.UnixListener:
		l.SetUnlinkOnClose(false) // the path is the master's
	default:
		return nil, fmt.Errorf("it is a %T; only TCP and Unix sockets are served", ln)
	}
	l := &listener{srv: s, ln: ln, addr: spec.Addr()}
	l.spec.Store(&spec)
	return l, nil
}

// accept runs until the listener is closed. An error that passes, such as a lack of
// descriptors, makes it wait and never ends it.
func (l *listener) accept() {
	defer l.srv.wg.Done()
	var delay time.Duration
	for {
		nc, err := l.ln.Accept()
		if err == nil {
			delay = 0
			l.srv.admit(l, nc)
			continue
		}
		if l.closed.Load() || errors.Is(err, net.ErrClosed) {
			return
		}
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		if isShortage(err) {
			l.srv.shedIdle()
		}
		l.srv.log.Error().Err(err).Str("listen", l.addr).Dur("wait", delay).Msg("cannot accept a connection")
		time.Sleep(delay)
	}
}

func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

func (l *listener) close() {
	l.closed.Store(true)
	l.ln.Close()
}

// admit starts a connection, or refuses it when there are too many.
func (s *Server) admit(l *listener, nc net.Conn) {
	limit := s.settings.Load().WorkerConnections
	n := s.conns.count()
	if limit > 0 && n >= limit*9/10 {
		s.shedIdle()
		if n >= limit {
			s.refused.Add(1)
			nc.Close()
			return
		}
	}
	c := newConn(s, l, nc)
	if perIP := c.http().LimitConnPerIP; perIP > 0 {
		if !s.perIP.enter(c.remote.Addr(), perIP) {
			nc.Close()
			return
		}
		c.perIP = true
	}
	s.wg.Add(1)
	s.conns.add(c)
	if s.draining.Load() {
		c.expireIdle()
	}
	go c.serve()
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
