package proxy

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// janitorInterval is how precise all deadlines of connections are.
const janitorInterval = 500 * time.Millisecond

// clock is the coarse time of the janitor: a deadline costs a store, not a timer.
type clock struct {
	nanos atomic.Int64
	date  atomic.Pointer[[]byte] // "Date: ...\r\n"
}

func (c *clock) tick(t time.Time) {
	c.nanos.Store(t.UnixNano())
	line := append(t.UTC().AppendFormat([]byte("Date: "), "Mon, 02 Jan 2006 15:04:05 GMT"), '\r', '\n')
	c.date.Store(&line)
}

// janitor enforces deadlines and moves the clock until the server has stopped.
func (s *Server) janitor() {
	t := time.NewTicker(janitorInterval)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-t.C:
			s.clock.tick(now)
			n := now.UnixNano()
			s.conns.each(func(c *conn) { c.expire(n) })
			if refused := s.refused.Swap(0); refused > 0 {
				s.log.Warn().Int64("refused", refused).Msg("too many connections (worker_connections)")
			}
		}
	}
}

// shedIdle closes the connections that have been idle longest, a twentieth of all, at most ten times a second. Those that never sent
// anything come after those that wait for a next request (nginx: reusable connections).
func (s *Server) shedIdle() {
	now := time.Now().UnixNano()
	last := s.conns.shed.Load()
	if now-last < int64(100*time.Millisecond) || !s.conns.shed.CompareAndSwap(last, now) {
		return
	}
	type idler struct {
		c        *conn
		phase    phase
		deadline int64
	}
	var idle []idler
	s.conns.each(func(c *conn) {
		if p, at := unpack(c.standing.Load()); p == phaseIdle || p == phaseFirst {
			idle = append(idle, idler{c, p, at})
		}
	})
	slices.SortFunc(idle, func(a, b idler) int {
		return cmp.Or(cmp.Compare(b.phase, a.phase), cmp.Compare(a.deadline, b.deadline))
	})
	n := min(len(idle), 1+s.conns.count()/20)
	for _, i := range idle[:n] {
		i.c.expireIdle()
	}
	if n > 0 {
		s.log.Warn().Int("closed", n).Msg("too many connections: the longest idle are closed")
	}
}
