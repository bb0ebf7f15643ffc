package load

import (
	"sync"
	"time"
)

// busyClock runs only while every worker of an app is held by a slow request:
// what a fast request waits then is nobody's fault. It sees with the client's
// eyes, so a slow request counts from its sending to its answer. Safe for
// concurrent use; the caller passes the time.
type busyClock struct {
	workers int

	mu    sync.Mutex
	held  int           // slow requests under way; guarded by mu
	since time.Time     // when held reached workers; guarded by mu
	total time.Duration // time before since; guarded by mu
}

// enter notes that a slow request was sent.
func (c *busyClock) enter(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held++; c.held == c.workers {
		c.since = now
	}
}

// leave notes that a slow request was answered.
func (c *busyClock) leave(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == c.workers {
		c.total += now.Sub(c.since)
	}
	c.held--
}

// read returns the time during which no worker was free.
func (c *busyClock) read(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held < c.workers {
		return c.total
	}
	return c.total + now.Sub(c.since)
}
