package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is one entry of /proc. Its start time tells it from a later process with the same pid.
type process struct {
	pid, parent, session int
	started              string
	state                string
	title                string
}

// processes lists every process of the machine that has not ended (zombies have).
func processes() []process {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	var all []process
	for _, path := range paths {
		if p, ok := readProcess(filepath.Dir(path)); ok && p.state != "Z" && p.state != "X" {
			all = append(all, p)
		}
	}
	return all
}

func readProcess(dir string) (process, bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, false
	}
	// The name, in parentheses, may hold anything; the fields after it are numbers (proc_pid_stat(5)).
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 20 {
		return process{}, false
	}
	title, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	return process{
		pid:     number(filepath.Base(dir)),
		state:   fields[0],
		parent:  number(fields[1]),
		session: number(fields[3]),
		started: fields[19],
		title:   strings.TrimSpace(string(bytes.ReplaceAll(title, []byte{0}, []byte{' '}))),
	}, true
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// familyOf returns the processes below pid, and those in its session, without pid itself.
func familyOf(pid int) []process {
	all := processes()
	inside := map[int]bool{pid: true}
	var family []process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !inside[p.pid] && (inside[p.parent] || p.session == pid) {
				inside[p.pid] = true
				family = append(family, p)
				grown = true
			}
		}
	}
	return family
}

// waitGone waits until none of these processes, and nothing in the session, is alive, and returns what stays.
func waitGone(family []process, session int) []process {
	var left []process
	within(patience/4, func() bool {
		left = left[:0]
		known := map[[2]string]bool{}
		for _, p := range family {
			known[[2]string{strconv.Itoa(p.pid), p.started}] = true
		}
		for _, p := range processes() {
			if p.session == session || known[[2]string{strconv.Itoa(p.pid), p.started}] {
				left = append(left, p)
			}
		}
		return len(left) == 0
	})
	return left
}

// find returns the processes of the server whose title starts so, in no special order.
func (s *server) find(title string) []process {
	var found []process
	for _, p := range familyOf(s.pid()) {
		if strings.HasPrefix(p.title, title) {
			found = append(found, p)
		}
	}
	return found
}

// one waits until exactly one process has that title.
func (s *server) one(title string) process {
	s.t.Helper()
	var found []process
	eventually(s.t, "there is one process "+title, func() bool {
		found = s.find(title)
		return len(found) == 1
	})
	return found[0]
}

// titles of the processes of an app and of the front.
func frontTitle() string             { return "hognose: front" }
func zygoteTitle(app string) string  { return "hognose: app " + app + " (zygote)" }
func workersTitle(app string) string { return "hognose: app " + app + " worker " }

// workers waits until the app has exactly n workers.
func (s *server) workers(app string, n int) []process {
	s.t.Helper()
	var found []process
	eventually(s.t, "app "+app+" has "+strconv.Itoa(n)+" workers", func() bool {
		found = s.find(workersTitle(app))
		return len(found) == n
	})
	return found
}

func pids(list []process) map[int]bool {
	set := map[int]bool{}
	for _, p := range list {
		set[p.pid] = true
	}
	return set
}

func kill(t *testing.T, p process) {
	t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		t.Fatalf("cannot kill %d %q: %v", p.pid, p.title, err)
	}
}

// openFiles lists what the descriptors of a process refer to, sockets by "socket" alone.
func openFiles(pid int) []string {
	links, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	var files []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			kind, _, _ := strings.Cut(target, ":[")
			files = append(files, kind)
		}
	}
	return files
}
