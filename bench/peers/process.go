package peers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hognose/bench/proc"
)

const (
	stopDeadline    = 15 * time.Second // from SIGTERM to the end of the first process
	orphanDeadline  = 3 * time.Second  // from its end to that of its descendants
	stopPollingRest = 20 * time.Millisecond
)

// process is one started program and its descendants.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file with its standard output and error
	done chan struct{} // closed when it was waited for
}

// start runs a program in the site's directory. It gets a process group of its
// own, so that an interrupt from the terminal reaches only the caller, who
// decides what to stop; and it dies with the caller.
func start(dir, name string, args ...string) (*process, error) {
	path := filepath.Join(dir, filepath.Base(name)+".out")
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot create log of %q: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", name, err)
	}
	p := &process{name: filepath.Base(name), cmd: cmd, log: path, done: make(chan struct{})}
	go func() {
		// How it ended matters only before it was ready; then its log tells.
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended tells whether the process is over.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the process as an operator would, then whatever it left behind. It
// returns an error when force was needed, or when descendants outlived it.
func (p *process) stop() error {
	tree, err := proc.Tree(p.pid())
	if err != nil {
		return err
	}
	var problems []error
	// The process may have ended already, which is no error here.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopDeadline):
		problems = append(problems, fmt.Errorf("%s did not stop within %s of SIGTERM", p.name, stopDeadline))
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	if left := p.reapOrphans(tree); len(left) > 0 {
		problems = append(problems, fmt.Errorf("%s left processes behind: %q", p.name, left))
	}
	return errors.Join(problems...)
}

// reapOrphans waits for what remains of a tree whose first process ended, kills
// what stays too long, and returns the titles of the killed. As a subreaper the
// caller has become the parent of orphans and must collect them.
func (p *process) reapOrphans(tree []proc.Stat) (killed []string) {
	deadline := time.Now().Add(orphanDeadline)
	for _, stat := range tree {
		for alive(stat) && time.Now().Before(deadline) {
			time.Sleep(stopPollingRest)
		}
		if alive(stat) {
			killed = append(killed, proc.Title(stat.PID))
			_ = syscall.Kill(stat.PID, syscall.SIGKILL)
			for alive(stat) {
				time.Sleep(stopPollingRest)
			}
		}
	}
	return killed
}

// alive tells whether a process still runs, and collects it when it is an
// exited child of the caller.
func alive(was proc.Stat) bool {
	now, err := proc.ReadStat(was.PID)
	if err != nil || now.Start != was.Start {
		return false
	}
	if now.State == 'Z' {
		_, _ = unix.Wait4(was.PID, nil, unix.WNOHANG, nil)
		return false
	}
	return true
}

// logTail returns the end of what the process wrote.
func (p *process) logTail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	const most = 20
	return string(bytes.Join(lines[max(0, len(lines)-most):], []byte("\n")))
}
