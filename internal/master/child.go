package master

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

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
		return 0, spec.explain(err)
	}
	pid = cmd.Process.Pid
	_ = cmd.Process.Release() // it only closes a descriptor: reap waits for the child
	m.children[pid] = ended
	return pid, nil
}

// explain says what may be behind the error of a start. Package os does not tell a directory that the child may
// not enter from an executable that it may not run.
func (s *childSpec) explain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	who := "the user that runs hognose"
	if s.owner != nil {
		who = fmt.Sprintf("user %q", s.owner.name)
	}
	if errors.Is(err, unix.EACCES) && s.dir != "" {
		return fmt.Errorf("cannot start %q in directory %q: %w; see that %s may enter it and run hognose's executable", s.title, s.dir, err, who)
	}
	return fmt.Errorf("cannot start %q as %s: %w", s.title, who, err)
}

// kill kills a child that has not been reaped: its pid is still its own.
func (m *Master) kill(pid int) {
	if m.children[pid] != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // it can only have ended already
	}
}
