package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// burned is what a burner uses before it says so.
const burned = 50 * time.Millisecond

func TestMain(m *testing.M) {
	if os.Getenv("PROC_TEST_BURN") != "" {
		burn()
	}
	os.Exit(m.Run())
}

// burn uses CPU until its own clock shows burned, says so, and waits to be told
// to exit.
func burn() {
	var ts unix.Timespec
	for time.Duration(ts.Nano()) < burned {
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
			os.Exit(1)
		}
	}
	os.Stdout.WriteString("done\n")
	os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// startBurner returns once the child has burned its CPU; finish lets it exit
// and reaps it.
func startBurner(t *testing.T) (pid int, finish func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PROC_TEST_BURN=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	finish = func() { stdin.Close(); _ = cmd.Wait() }
	t.Cleanup(finish)
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		t.Fatalf("burner said nothing: %v", err)
	}
	return cmd.Process.Pid, finish
}

func TestCPUOfLiveAndExitedChildren(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	pid, finish := startBurner(t)
	alone, err := CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	if alone.Time < burned || len(alone.PIDs) != 1 {
		t.Errorf("burner alone: got %v in processes %v, want at least %v in one", alone.Time, alone.PIDs, burned)
	}
	during, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if used, same := during.Since(before); used < burned || same {
		t.Errorf("with the burner alive: got %v, same=%t; want at least %v and a changed tree", used, same, burned)
	}
	finish()
	after, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// The exited child is counted in whole ticks, so up to two may be missing.
	if used, same := after.Since(before); used < burned-2*tick || !same {
		t.Errorf("after the burner exited: got %v, same=%t; want at least %v and the first tree", used, same, burned-2*tick)
	}
}

func TestCPUOfNobody(t *testing.T) {
	usage, err := CPU(1 << 22) // above the highest PID Linux gives out
	if err != nil {
		t.Fatal(err)
	}
	if usage.Time != 0 || len(usage.PIDs) != 0 {
		t.Errorf("got %+v, want nothing", usage)
	}
}
