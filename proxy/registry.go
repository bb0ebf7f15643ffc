package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// registry knows all open connections, in shards so that accepting and closing do not meet.
type registry struct {
	n      atomic.Int64
	shed   atomic.Int64 // when idle connections were last shed
	next   atomic.Uint32
	shards [16]shard
}

type shard struct {
	mu    sync.Mutex // guards conns and conn.place
	conns []*conn
}

func (r *registry) count() int { return int(r.n.Load()) }

func (r *registry) add(c *conn) {
	r.n.Add(1)
	c.shard = &r.shards[r.next.Add(1)%uint32(len(r.shards))]
	c.shard.mu.Lock()
	c.place = len(c.shard.conns)
	c.shard.conns = append(c.shard.conns, c)
	c.shard.mu.Unlock()
}

func (r *registry) remove(c *conn) {
	s := c.shard
	s.mu.Lock()
	last := len(s.conns) - 1
	s.conns[c.place] = s.conns[last]
	s.conns[c.place].place = c.place
	s.conns[last] = nil
	s.conns = s.conns[:last]
	s.mu.Unlock()
	r.n.Add(-1)
}

// each calls f for every connection, a shard's lock held: f must be short and must not remove.
func (r *registry) each(f func(*conn)) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, c := range s.conns {
			f(c)
		}
		s.mu.Unlock()
	}
}

// ipLimiter counts connections by client address, an IPv6 client by its /64.
type ipLimiter struct {
	mu    sync.Mutex
	count map[netip.Addr]int
}

func ipKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// enter counts a connection in and reports whether it is within limit.
func (l *ipLimiter) enter(a netip.Addr, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = map[netip.Addr]int{}
	}
	k := ipKey(a)
	if l.count[k] >= limit {
		return false
	}
	l.count[k]++
	return true
}

// leave counts a connection out.
func (l *ipLimiter) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := ipKey(a)
	if n := l.count[k]; n > 1 {
		l.count[k] = n - 1
	} else if n == 1 {
		delete(l.count, k)
	}
}
