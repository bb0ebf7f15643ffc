package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Busy returns how long the machine's cores have run processes since boot,
// summed over the cores: the user, nice and system columns of /proc/stat.
// Interrupts are left out, and so is time stolen by a hypervisor.
func Busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("cannot read the machine's CPU time: %w", err)
	}
	return parseBusy(text)
}

func parseBusy(text []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 4 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q, want the line of all cpus", line)
	}
	var ticks int64
	for _, field := range fields[1:4] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat line %q: %w", line, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// gone tells whether an error of /proc means that the process left. A zombie
// and a kernel thread have no memory map, which reads as ESRCH too.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
