package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Fairness sends fast requests at a fixed rate over some connections, one in
// every Every of them slow, and counts the fast ones that came late: those that
// were left waiting behind a slow one.
//
// The rate is fixed so that each server gets the same requests at the same
// times. As fast as they can, the quicker server would get more slow requests
// per second, until they hold all its workers and it looks worse for being
// quicker. A connection that is held up skips the requests it missed; it does
// not send them in a burst.
type Fairness struct {
	Addr               string // host:port
	FastPath, SlowPath string
	Connections        int
	Workers            int // of the app: while so many slow requests run, waiting is allowed
	Every              int
	Rate               float64 // requests per second, all connections together
	Duration           time.Duration
	Limit              time.Duration // a fast request that takes longer is late
}

// FairnessResult holds the latencies of the fast requests, and their verdict.
type FairnessResult struct {
	Result
	Slow    int // slow requests answered
	Late    int // fast requests that took longer than Limit
	Starved int // late ones that waited longer than Limit while a worker was free
}

// fairnessRun is one run in progress.
type fairnessRun struct {
	Fairness
	sent  atomic.Int64
	clock busyClock

	mu        sync.Mutex
	result    FairnessResult  // guarded by mu
	latencies []time.Duration // guarded by mu
}

// Run returns after Duration, or with the error of ctx.
func (f Fairness) Run(ctx context.Context) (FairnessResult, error) {
	run := &fairnessRun{Fairness: f, clock: busyClock{workers: f.Workers}}
	start := time.Now()
	var wait sync.WaitGroup
	for i := range f.Connections {
		offset := time.Duration(float64(i) / f.Rate * float64(time.Second))
		wait.Go(func() { run.connection(ctx, start.Add(offset), start.Add(f.Duration)) })
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return FairnessResult{}, err
	}
	run.result.Elapsed = time.Since(start)
	run.result.setLatencies(run.latencies)
	return run.result, nil
}

// connection sends requests from next on until end, and opens a new connection
// after a failure.
func (r *fairnessRun) connection(ctx context.Context, next, end time.Time) {
	interval := time.Duration(float64(r.Connections) / r.Rate * float64(time.Second))
	var c *client
	for sleepUntil(ctx, next) && time.Now().Before(end) {
		var err error
		if c == nil {
			c, err = dial(ctx, r.Addr)
		}
		if err == nil {
			err = r.request(c)
		}
		if err != nil {
			r.fail(err)
			if c != nil {
				reset(c.conn)
				c = nil
			}
		}
		next = nextSlot(next, interval, time.Now())
	}
	if c != nil {
		reset(c.conn)
	}
}

// request sends the next request of the sequence that all connections share.
func (r *fairnessRun) request(c *client) error {
	if r.sent.Add(1)%int64(r.Every) == 0 {
		r.clock.enter(time.Now())
		err := c.get(getRequest(r.Addr, r.SlowPath))
		r.clock.leave(time.Now())
		if err == nil {
			r.mu.Lock()
			r.result.Slow++
			r.mu.Unlock()
		}
		return err
	}
	sent := time.Now()
	excused := r.clock.read(sent)
	if err := c.get(getRequest(r.Addr, r.FastPath)); err != nil {
		return err
	}
	answered := time.Now()
	r.note(answered.Sub(sent), r.clock.read(answered)-excused)
	return nil
}

// note records a fast request: how long it took, and for how much of that no
// worker was free.
func (r *fairnessRun) note(latency, excused time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Requests++
	r.latencies = append(r.latencies, latency)
	if latency > r.Limit {
		r.result.Late++
	}
	if latency-excused > r.Limit {
		r.result.Starved++
	}
}

// fail records a failed request. One text is enough: the first failure fails
// the measurement.
func (r *fairnessRun) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.result.Failures) == 0 {
		r.result.Failures = []string{"request failed: " + err.Error()}
	}
}

// nextSlot returns the first time of the schedule slot, slot+interval, ... that
// comes after both slot and now.
func nextSlot(slot time.Time, interval time.Duration, now time.Time) time.Time {
	missed := now.Sub(slot) / interval
	return slot.Add((max(missed, 0) + 1) * interval)
}

// sleepUntil waits for a time and tells whether ctx is still alive then.
func sleepUntil(ctx context.Context, when time.Time) bool {
	timer := time.NewTimer(time.Until(when))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
