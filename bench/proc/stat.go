package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: sysconf(_SC_CLK_TCK), which Linux fixes
// at 100 per second for user space on every architecture Go supports.
const tick = 10 * time.Millisecond

// Stat is one process as /proc/PID/stat shows it (proc(5)).
type Stat struct {
	PID     int
	Comm    string // name of the executable, cut to 15 bytes
	State   byte   // 'R', 'S', 'Z', ...
	Parent  int
	Start   uint64        // ticks after boot; with PID it names a process for good
	Reaped  time.Duration // CPU time of exited children that were waited for
	Own     time.Duration // CPU time of this process, in whole ticks
	Threads int
}

// Positions of fields after the closing parenthesis of comm, counted from 0
// (proc(5) counts from 1 and has two fields before).
const (
	fieldState   = 0
	fieldParent  = 1
	fieldUtime   = 11
	fieldStime   = 12
	fieldCutime  = 13
	fieldCstime  = 14
	fieldThreads = 17
	fieldStart   = 19
)

// ReadStat reads /proc/PID/stat. The error is fs.ErrNotExist (or ESRCH) when
// the process is gone.
func ReadStat(pid int) (Stat, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, err
	}
	return parseStat(line)
}

// parseStat reads one line of /proc/PID/stat. comm is whatever the process
// calls itself and may hold spaces and parentheses, so the last ')' ends it.
func parseStat(line []byte) (Stat, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Stat{}, fmt.Errorf("stat line %q has no (comm)", line)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:open])))
	if err != nil {
		return Stat{}, fmt.Errorf("stat line %q: pid: %w", line, err)
	}
	fields := strings.Fields(string(line[end+1:]))
	if len(fields) <= fieldStart {
		return Stat{}, fmt.Errorf("stat line %q has only %d fields after comm", line, len(fields))
	}
	stat := Stat{PID: pid, Comm: string(line[open+1 : end]), State: fields[fieldState][0]}
	var number [fieldStart + 1]int64
	for i := fieldParent; i <= fieldStart; i++ {
		if number[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return Stat{}, fmt.Errorf("stat line %q: field %d: %w", line, i+3, err)
		}
	}
	stat.Parent = int(number[fieldParent])
	stat.Threads = int(number[fieldThreads])
	stat.Start = uint64(number[fieldStart])
	stat.Own = time.Duration(number[fieldUtime]+number[fieldStime]) * tick
	stat.Reaped = time.Duration(number[fieldCutime]+number[fieldCstime]) * tick
	return stat, nil
}
