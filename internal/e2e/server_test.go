package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// server is one running hognose with everything below it.
type server struct {
	t    *testing.T
	vars *variables
	cmd  *exec.Cmd
	log  *logBuffer
	// exited is closed when the master is gone; state is valid from then on.
	exited chan struct{}
	state  *os.ProcessState
	// unclean is set by tests that kill the master: its exit code is then of no interest.
	unclean bool
}

// trouble is what must never appear in hognose's log. A traceback of Python may.
var trouble = regexp.MustCompile(`(?m)^(panic|fatal error): |DATA RACE|runtime error: |AddressSanitizer|SIGSEGV`)

// start writes the config, with its $VARIABLES filled in (see variables), runs
// hognose with it and waits until it serves. The server is stopped when the test ends.
func start(t *testing.T, config string) *server {
	t.Helper()
	v := newVariables(t)
	return startWith(t, v, config)
}

// startWith is start with variables that the test has used before.
func startWith(t *testing.T, v *variables, config string) *server {
	t.Helper()
	v.writeConfig(config)
	s := launch(t, v, "run", "-c", v.config())
	s.waitReady()
	return s
}

// launch runs hognose with these arguments, $VARIABLES filled in, and does not wait for it.
func launch(t *testing.T, v *variables, args ...string) *server {
	t.Helper()
	for i := range args {
		args[i] = v.expand(args[i])
	}
	return launchCommand(t, v, exec.Command(host.binary, args...))
}

func launchCommand(t *testing.T, v *variables, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{t: t, vars: v, cmd: cmd, log: newLogBuffer(), exited: make(chan struct{})}
	if cmd.Dir == "" {
		cmd.Dir = v.dir
	}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	// A pipe held open by a process that outlives the master must not block Wait: it is reported as left behind.
	cmd.WaitDelay = 5 * time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %q: %v", cmd.Args, err)
	}
	go func() {
		// The exit state says all there is to know of the error.
		_ = cmd.Wait()
		s.state = cmd.ProcessState
		close(s.exited)
	}()
	t.Cleanup(s.cleanup)
	return s
}

// waitReady polls until the first listener that has an address answers a request that no application sees.
func (s *server) waitReady() {
	s.t.Helper()
	eventually(s.t, "hognose serves", func() bool {
		if s.gone() {
			s.t.Fatalf("hognose exited with %d instead of serving:\n%s", s.exitCode(), s.log)
		}
		return s.vars.answers()
	})
}

func (s *server) gone() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// waitExit waits for the master's end and returns its exit code.
func (s *server) waitExit() int {
	s.t.Helper()
	select {
	case <-s.exited:
		return s.exitCode()
	case <-time.After(patience):
		s.t.Fatalf("hognose is still running after %s:\n%s", patience, s.log)
		return -1
	}
}

// exitCode is valid once gone is true.
func (s *server) exitCode() int { return s.state.ExitCode() }

func (s *server) pid() int { return s.cmd.Process.Pid }

// signal sends a signal to the master.
func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatalf("cannot send %v to the master: %v", sig, err)
	}
}

// cleanup stops the server, and holds it to what every server must do.
func (s *server) cleanup() {
	family := familyOf(s.pid())
	if !s.gone() {
		s.signal(syscall.SIGTERM)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Errorf("hognose did not stop within %s of SIGTERM", patience)
	}
	left := waitGone(family, s.pid())
	for _, p := range left {
		s.t.Errorf("left behind: process %d %q", p.pid, p.title)
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	<-s.exited
	if !s.unclean && s.exitCode() != 0 {
		s.t.Errorf("hognose ended with %v; want exit code 0", s.state)
	}
	if found := trouble.FindString(s.log.String()); found != "" {
		s.t.Errorf("hognose logged %q", found)
	}
	if s.t.Failed() {
		s.t.Logf("log of hognose:\n%s", s.log.tail(200))
	}
}

// file returns the path of name in the server's scratch directory.
func (s *server) file(name string) string { return filepath.Join(s.vars.dir, name) }

// read returns the content of a file of the scratch directory, "" when there is none yet.
func (s *server) read(name string) string {
	content, _ := os.ReadFile(s.file(name))
	return string(content)
}

// give creates an empty file that an application waits for.
func (s *server) give(sign string) {
	s.t.Helper()
	if err := os.WriteFile(s.file(sign), nil, 0o666); err != nil {
		s.t.Fatal(err)
	}
}

// await waits for a file that an application creates.
func (s *server) await(sign string) {
	s.t.Helper()
	eventually(s.t, "the application gives sign "+sign, func() bool {
		_, err := os.Stat(s.file(sign))
		return err == nil
	})
}
