package proxy

import (
	"testing"
	"time"
)

// TestRequestOrEnd: between the last byte of one response and the first of the next request a connection may be closed. Whichever comes
// first decides: a request that has begun is served, and of a connection that was closed no request is taken any more.
func TestRequestOrEnd(t *testing.T) {
	s := startServer(t, echo, nil)
	f := func(name string, p phase, end func(*conn), want bool) {
		t.Helper()
		c := &conn{srv: s.Server, nc: s.dial().Conn}
		c.setPhase(p, time.Nanosecond)
		end(c)
		if got := c.beginRequest(); got != want {
			t.Errorf("%s: a request begins: %t; want %t", name, got, want)
		}
	}
	late := time.Now().Add(time.Hour).UnixNano()
	f("idle", phaseIdle, func(*conn) {}, true)
	f("shed while idle", phaseIdle, func(c *conn) { c.expireIdle() }, false)
	f("keepalive_timeout", phaseIdle, func(c *conn) { c.expire(late) }, false)
	f("client_header_timeout before a byte", phaseFirst, func(c *conn) { c.expire(late) }, false)
	f("shed before a byte", phaseFirst, func(c *conn) { c.expireIdle() }, false)
	f("shed too late", phaseWrite, func(c *conn) { c.expireIdle() }, true) // the next request is in the buffer already

	c := &conn{srv: s.Server, nc: s.dial().Conn}
	c.setPhase(phaseIdle, time.Nanosecond)
	c.beginRequest()
	c.expireIdle()
	c.expire(late)
	if c.expired.Load() != waitGoesOn {
		t.Error("a connection that serves a request was ended as an idle one")
	}
}
