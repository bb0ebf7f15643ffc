package python

import (
	"bytes"
	"context"
	_ "embed" // for findScript
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// FindTimeout is how long Find waits for an interpreter to answer.
const FindTimeout = 10 * time.Second

//go:embed find.py
var findScript string

// Interpreter is a Python interpreter that can host applications.
type Interpreter struct {
	Executable string // absolute path; of a virtual environment, that environment's own
	Version    string // like "3.11.2"
	Libpython  string // absolute path of its shared library
}

// answer is what find.py prints.
type answer struct {
	Executable     string
	Implementation string
	Version        string
	Prefix         string
	FreeThreaded   bool `json:"free_threaded"`
	Libpython      []string
}

// Find asks the interpreter executable, a path or a name in PATH, for its version and its shared libpython. It
// runs it, isolated from the user's Python settings, as user `as` (nil: as the caller): a virtual
// environment may belong to somebody whose code the caller must not run. It takes some 20 ms; safe for concurrent use.
//
// The error names the interpreter and what to install.
func Find(executable string, as *syscall.Credential) (Interpreter, error) {
	return find(executable, as, FindTimeout)
}

func find(executable string, as *syscall.Credential, timeout time.Duration) (Interpreter, error) {
	out, err := ask(executable, as, timeout)
	if err != nil {
		return Interpreter{}, err
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil || a.Executable == "" {
		return Interpreter{}, fmt.Errorf("interpreter %q does not answer like Python: %.200q", executable, out)
	}
	return a.interpreter(executable)
}

func ask(executable string, as *syscall.Credential, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	// -I: no PYTHON* variables, no user site, no current directory; -S: no site-packages, whose code would run.
	cmd := exec.CommandContext(ctx, executable, "-I", "-S", "-c", findScript)
	cmd.Env = environment(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // a shim's children too
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("interpreter %q does not answer within %v", executable, timeout)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("interpreter %q does not exist: install Python 3.8 or later, or name another one: %w", executable, err)
	}
	return nil, fmt.Errorf("cannot run interpreter %q: %w: %s", executable, err, lastLine(stderr.String()))
}

// environment keeps what an interpreter or a version manager's shim needs to start, and no secret of the caller.
func environment(env []string) []string {
	var kept []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "PATH", name == "HOME", name == "LANG", name == "LD_LIBRARY_PATH",
			strings.HasPrefix(name, "LC_"), strings.HasPrefix(name, "PYENV_"):
			kept = append(kept, kv)
		}
	}
	return kept
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func (a *answer) interpreter(asked string) (Interpreter, error) {
	major, minor := a.numbers()
	name := fmt.Sprintf("interpreter %q (%s %s)", asked, a.Implementation, a.Version)
	switch {
	case a.Implementation != "CPython":
		return Interpreter{}, fmt.Errorf("%s is not supported: only CPython 3.8 or later is", name)
	case major != 3 || minor < 8:
		return Interpreter{}, fmt.Errorf("%s is too old: install Python 3.8 or later, or name another one", name)
	case a.FreeThreaded:
		return Interpreter{}, fmt.Errorf("%s is a free-threaded build, which is not supported: name the one with the GIL", name)
	case len(a.Libpython) == 0 && a.Prefix == "/usr":
		return Interpreter{}, fmt.Errorf("%s has no shared libpython: install the package libpython%d.%d (Debian, Ubuntu) or python3-libs (Fedora)", name, major, minor)
	case len(a.Libpython) == 0:
		return Interpreter{}, fmt.Errorf("%s has no shared libpython: rebuild it with --enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force %s)", name, a.Version)
	}
	return Interpreter{Executable: a.Executable, Version: a.Version, Libpython: a.Libpython[0]}, nil
}

func (a *answer) numbers() (major, minor int) {
	parts := strings.SplitN(a.Version, ".", 3)
	major, _ = strconv.Atoi(parts[0])
	if len(parts) > 1 {
		minor, _ = strconv.Atoi(parts[1])
	}
	return major, minor
}
