package proc

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is the CPU time a tree of processes had used at one moment.
type Usage struct {
	Time time.Duration
	PIDs []int
}

// CPU reads the CPU time used so far by the trees below roots.
func CPU(roots ...int) (Usage, error) {
	all, err := snapshot()
	if err != nil {
		return Usage{}, err
	}
	var usage Usage
	for _, root := range roots {
		for _, stat := range descend(all, root) {
			usage.Time += stat.Reaped + ownTime(stat)
			usage.PIDs = append(usage.PIDs, stat.PID)
		}
	}
	slices.Sort(usage.PIDs)
	return usage, nil
}

// Since returns the CPU time used since an earlier reading, and whether the
// tree has the same processes as then.
func (u Usage) Since(earlier Usage) (used time.Duration, same bool) {
	return u.Time - earlier.Time, slices.Equal(u.PIDs, earlier.PIDs)
}

// ownTime reads the process's CPU clock, or falls back to the ticks of its stat
// when the process left in between.
func ownTime(stat Stat) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clockOf(stat.PID), &ts); err != nil {
		return stat.Own
	}
	return time.Duration(ts.Nano())
}

// clockOf builds the id of another process's CPU clock, as the C library's
// clock_getcpuclockid(3) does: the PID's complement above the three low bits
// that choose the clock, of which 2 is CPUCLOCK_SCHED.
func clockOf(pid int) int32 {
	const cpuclockSched = 2
	return int32(^pid)<<3 | cpuclockSched
}
