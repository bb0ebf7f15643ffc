package proc

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Tree returns the process root and all its descendants, sorted by PID, without
// zombies. A process that disappears while /proc is read is left out.
func Tree(root int) ([]Stat, error) {
	all, err := snapshot()
	if err != nil {
		return nil, err
	}
	return descend(all, root), nil
}

// Title returns what the process calls itself: its command line as one string,
// or its comm when it has none. It is empty when the process is gone.
func Title(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && len(line) > 0 {
		return strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	}
	stat, err := ReadStat(pid)
	if err != nil {
		return ""
	}
	return stat.Comm
}

// snapshot reads every process of the machine.
func snapshot() ([]Stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	var all []Stat
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // not a process
		}
		if stat, err := ReadStat(pid); err == nil && stat.State != 'Z' {
			all = append(all, stat)
		}
	}
	return all, nil
}

// descend picks root and everything below it out of a snapshot.
func descend(all []Stat, root int) []Stat {
	children := make(map[int][]Stat)
	var tree []Stat
	for _, stat := range all {
		children[stat.Parent] = append(children[stat.Parent], stat)
		if stat.PID == root {
			tree = append(tree, stat)
		}
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].PID]...)
	}
	slices.SortFunc(tree, func(a, b Stat) int { return a.PID - b.PID })
	return tree
}
