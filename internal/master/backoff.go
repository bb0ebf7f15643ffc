package master

import "time"

const (
	// healthy is how long something must have worked for its next end to count as the first.
	healthy = 10 * time.Second
	// longestPause bounds the pause between two tries.
	longestPause = 30 * time.Second
)

// backoff spaces the restarts of one thing that keeps dying: the first restart comes at once, then after 1, 2, 4 ... 30 seconds.
type backoff struct {
	failures int       // in a row
	since    time.Time // when it began to work; zero if it has not since the last failure
}

// works notes that the thing works from now on.
func (b *backoff) works(now time.Time) { b.since = now }

// pause notes a failure and returns how long to wait before the next try.
func (b *backoff) pause(now time.Time) time.Duration {
	if !b.since.IsZero() && now.Sub(b.since) >= healthy {
		b.failures = 0
	}
	b.since = time.Time{}
	b.failures++
	if b.failures == 1 {
		return 0
	}
	const doublings = 5 // 1 << 5 seconds is more than longestPause
	return min(longestPause, time.Second<<min(b.failures-2, doublings))
}
