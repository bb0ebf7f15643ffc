package master

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// RoleEnv names the environment variable that says what a started hognose is: RoleFront or RolePython. The master has no role.
const (
	RoleEnv    = "HOGNOSE_ROLE"
	RoleFront  = "front"
	RolePython = "python"
)

// childSpec describes a process to start from our own executable.
type childSpec struct {
	title string // argv[0]
	env   []string
	dir   string // "" is the master's own
	owner *owner
	files []*os.File // descriptors 3 and up
	log   *os.File   // standard output and error
}

// start starts a child; ended is called in the event loop when it has ended.
//
// Each child leads a process group of its own, so that Ctrl-C in a terminal reaches the master only. It is killed
// when the master dies, should it not see by itself that its socket was closed.
func (m *Master) start(spec childSpec, ended func(exit)) (pid int, err error) {
	cmd := exec.Cmd{
		Path: "/proc/self/exe", Args: []string{spec.title}, Env: spec.env, Dir: spec.dir,
		Stdout: spec.log, Stderr: spec.log, ExtraFiles: spec.files,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: spec.owner.credential()},
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot start %q: %w", spec.title, err)
	}
	pid = cmd.Process.Pid
	_ = cmd.Process.Release() // it only closes a descriptor: reap waits for the child
	m.children[pid] = ended
	return pid, nil
}

// kill kills a child that has not been reaped: its pid is still its own.
func (m *Master) kill(pid int) {
	if m.children[pid] != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // it can only have ended already
	}
}

// outputPatience is how long Run waits, at its end, for the last lines of children.
const outputPatience = time.Second
