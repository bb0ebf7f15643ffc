package master

import (
	"errors"
	"maps"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reap takes note of all children that have ended. It is called for each SIGCHLD, of which the kernel
// may merge several into one.
func (m *Master) reap() {
	for _, pid := range slices.Sorted(maps.Keys(m.children)) {
		if ended := m.children[pid]; ended != nil {
			m.reapOne(pid, ended)
		}
	}
	if m.loading == 0 {
		m.reapStrangers()
	}
}

func (m *Master) reapOne(pid int, ended func(exit)) {
	var e exit
	got, err := wait4(pid, &e.status)
	switch {
	case errors.Is(err, unix.ECHILD):
		e.unknown = true
	case err != nil || got == 0:
		return
	}
	delete(m.children, pid)
	ended(e)
}

// reapStrangers reaps processes that applications have left to us. One of our own children that ended
// just now is left for the signal that comes with it.
func (m *Master) reapStrangers() {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		pid := siginfoPID(&info)
		if err != nil || pid == 0 || m.children[pid] != nil {
			return
		}
		var status unix.WaitStatus
		if _, err := wait4(pid, &status); err != nil {
			return
		}
		m.log.Debug().Int("pid", pid).Msg("a process that an application had left behind has ended")
	}
}

// hasChildren reports whether there are children, dead or alive.
func hasChildren() bool {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return !errors.Is(err, unix.ECHILD)
}

// siginfoPID returns si_pid, which package unix does not name: it comes first in a union that is aligned like a pointer.
func siginfoPID(info *unix.Siginfo) int {
	const header = 3 * unsafe.Sizeof(int32(0))
	const align = unsafe.Sizeof(uintptr(0))
	const offset = (header + align - 1) / align * align
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}

func wait4(pid int, status *unix.WaitStatus) (int, error) {
	for {
		got, err := unix.Wait4(pid, status, unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return got, err
		}
	}
}
