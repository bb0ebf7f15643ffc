package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Memory is what processes hold, in bytes.
type Memory struct {
	RSS int64 // resident pages; pages shared between processes count in each
	PSS int64 // resident pages, each divided by the number of processes that map it
}

// MemoryOf adds up the memory of processes. One that is gone, or is a kernel
// thread, counts nothing. Reading a process of another user takes root.
func MemoryOf(pids []int) (Memory, error) {
	var sum Memory
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if gone(err) {
			continue
		}
		if err != nil {
			return Memory{}, fmt.Errorf("cannot read memory of process %d: %w", pid, err)
		}
		one, err := parseRollup(text)
		if err != nil {
			return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		sum.RSS += one.RSS
		sum.PSS += one.PSS
	}
	return sum, nil
}

// parseRollup reads /proc/PID/smaps_rollup: a header line, then "Name: N kB".
func parseRollup(text []byte) (Memory, error) {
	var memory Memory
	var err error
	if memory.RSS, err = rollupField(text, "Rss:"); err != nil {
		return Memory{}, err
	}
	if memory.PSS, err = rollupField(text, "Pss:"); err != nil {
		return Memory{}, err
	}
	return memory, nil
}

func rollupField(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) != 3 || string(fields[0]) != name || string(fields[2]) != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("smaps_rollup line %q: %w", line, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("smaps_rollup has no line %q", name)
}
