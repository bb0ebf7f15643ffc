package master

import "time"

// clock is time as the master sees it; tests have their own.
type clock struct {
	now func() time.Time
	// after calls f once in a goroutine of its own, unless cancel is called before.
	after func(d time.Duration, f func()) (cancel func() bool)
}

func realClock() clock {
	return clock{
		now:   time.Now,
		after: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
	}
}

// timer is a timer whose function runs in the event loop. The zero pointer is a timer that was never set.
type timer struct {
	stopped bool
	cancel  func() bool
}

// after runs f in the event loop when d has passed.
func (m *Master) after(d time.Duration, f func()) *timer {
	t := &timer{}
	t.cancel = m.clock.after(d, func() {
		m.post(func() {
			if !t.stopped {
				t.stopped = true
				f()
			}
		})
	})
	return t
}

// stop makes sure that the function does not run any more, not even when the time has passed already.
func (t *timer) stop() {
	if t != nil && !t.stopped {
		t.stopped = true
		t.cancel()
	}
}

// pending reports whether the function is still to run.
func (t *timer) pending() bool { return t != nil && !t.stopped }
