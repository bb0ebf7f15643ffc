package pyhost

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock tells CLOCK_MONOTONIC in nanoseconds, as workers write it to the scoreboard, without a system call per reading.
type clock struct {
	start time.Time
	base  int64
}

func newClock() clock {
	var ts unix.Timespec
	start := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("bug: CLOCK_MONOTONIC cannot be read: " + err.Error())
	}
	return clock{start: start, base: ts.Nano()}
}

func (c clock) now() int64 { return c.base + int64(time.Since(c.start)) }
