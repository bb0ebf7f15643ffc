package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for something that normally takes
// milliseconds. It is no measurement: only something broken gets there.
const patience = 60 * time.Second

// machine is what the tests need of the machine, found once by TestMain and read-only since.
type machine struct {
	binary   string // the hognose under test
	python   string // sys.executable of the interpreter for test applications
	apps     string // testdata/apps
	examples string // the examples folder of the repository
	root     string // the repository
}

// host is set by TestMain before any test runs.
var host machine

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	scratch, err := os.MkdirTemp("", "hognose-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(scratch)
	if host, err = findMachine(scratch); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

func findMachine(scratch string) (machine, error) {
	here, err := os.Getwd()
	if err != nil {
		return machine{}, err
	}
	root := filepath.Join(here, "..", "..")
	found := machine{
		root:     root,
		apps:     filepath.Join(here, "testdata", "apps"),
		examples: filepath.Join(root, "examples"),
	}
	if found.python, err = executableOf(envOr("PYTHON", "python3")); err != nil {
		return machine{}, fmt.Errorf("cannot run the tests without Python (set PYTHON, or install python3): %w", err)
	}
	if found.binary, err = buildBinary(root, scratch); err != nil {
		return machine{}, err
	}
	return found, nil
}

// executableOf asks an interpreter for its own path: what PATH names may be a wrapper script.
func executableOf(python string) (string, error) {
	out, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fmt.Errorf("cannot run %q: %w", python, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func buildBinary(root, scratch string) (string, error) {
	if binary := os.Getenv("HOGNOSE_BIN"); binary != "" {
		return filepath.Abs(binary)
	}
	binary := filepath.Join(scratch, "hognose")
	args := []string{"build", "-trimpath", "-o", binary}
	if os.Getenv("HOGNOSE_RACE") != "" {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "./cmd/hognose")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build hognose: %w\n%s", err, out)
	}
	return binary, nil
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// need returns the path of a program that a test cannot do without. A machine
// that lacks it fails the test: a skipped test proves nothing.
func need(t *testing.T, debianPackage string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
	}
	t.Fatalf("this test needs %s; install it: apt-get install %s", strings.Join(names, " or "), debianPackage)
	return ""
}

// eventually polls until ok is true, and fails the test when that takes longer than patience.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !within(patience, ok) {
		t.Fatalf("%s: not within %s", what, patience)
	}
}

// within polls ok until it is true or the time is over, and tells which.
func within(limit time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}
