package master

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStopInOrder: the front finishes first; the workers, which it may need for that, stop after it.
func TestStopInOrder(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT} {
		tr := start(t, oneApp)
		tr.pids("blog")
		tr.tell("stop-hang")
		tr.signals <- sig
		eventually(t, "the front is told", func() bool { return strings.Contains(tr.read("told"), " stop ") })
		tr.see("the workers serve on", func(m *Master) bool { return m.apps["blog"].active.workers[1].state == workerReady })
		if _, err := ask(tr.path("http.sock"), "blog"); err == nil {
			t.Error("new connections are still possible")
		}
		tr.forget("stop-hang")
		if err := tr.wait(); err != nil {
			t.Errorf("%v: Run returned %v", sig, err)
		}
	}
}

// TestStopDeadline: a front that does not end is killed at the deadline.
func TestStopDeadline(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	tr.tell("stop-hang")
	tr.signals <- unix.SIGTERM
	tr.waitState(stateStopping)
	tr.clock.advance(20*time.Second + frontGrace)
	if err := tr.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// TestStopOfDeaf: workers and a zygote that do not obey are killed at the deadline.
func TestStopOfDeaf(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.tell("blog/stop-ignore")
	tr.run()
	tr.waitState(stateServing)
	tr.pids("blog")
	tr.signals <- unix.SIGTERM
	tr.see("the front is gone", func(m *Master) bool { return m.state == stateStopping && m.front == nil })
	tr.clock.advance(20 * time.Second)
	if err := tr.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	tr.waitLog("processes still run after worker_shutdown_timeout", 1)
}

// TestSecondSignal stops at once.
func TestSecondSignal(t *testing.T) {
	tr := start(t, oneApp)
	tr.tell("stop-hang")
	tr.tell("blog/stop-ignore")
	tr.signals <- unix.SIGINT
	tr.waitState(stateStopping)
	tr.signals <- unix.SIGINT
	if err := tr.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// TestStopDuringReload: the generation that is being started goes, too.
func TestStopDuringReload(t *testing.T) {
	tr := start(t, oneApp)
	tr.tell("blog/import-hang")
	tr.signals <- unix.SIGHUP
	tr.waitLog(`"message":"importing"`, 2)
	tr.signals <- unix.SIGTERM
	if err := tr.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// TestStopWithoutFront: a stop while the next front waits for its turn.
func TestStopWithoutFront(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	tr.tell("front-die")
	tr.kill(tr.frontPID())
	tr.waitLog("the front is replaced in 1s", 1)
	tr.signals <- unix.SIGTERM
	if err := tr.wait(); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

const fakeMasterEnv = "HOGNOSE_TEST_MASTER"

// fakeMaster is a whole master in a process of its own, with the configuration in a directory.
func fakeMaster(dir string) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, Signals()...)
	must(New(testOptions(dir, func() string { return strings.ReplaceAll(oneApp, "DIR", dir) })).Run(signals))
	os.Exit(0)
}

// masterDir makes the directory of a fakeMaster.
func masterDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(os.Mkdir(filepath.Join(dir, "blog"), 0o755))
	return dir
}

// startMaster starts a command that becomes fakeMaster, and waits until it serves.
func startMaster(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	cmd.Env = append(os.Environ(), fakeMasterEnv+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
	})
	eventually(t, "the master serves", func() bool {
		log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
		return strings.Contains(string(log), " ready: ")
	})
}

// TestKillMaster: nobody outlives a master that is killed, not even those whose parent is not the master.
func TestKillMaster(t *testing.T) {
	cmd, dir := exec.Command("/proc/self/exe"), masterDir(t)
	startMaster(t, cmd, dir)
	var family []int
	eventually(t, "all workers run", func() bool {
		family = descendants(cmd.Process.Pid)
		return len(family) == 4 // front, zygote, two workers
	})
	must(cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, "all processes end", func() bool {
		for _, pid := range family {
			if _, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/exe"); err == nil {
				return false
			}
		}
		return true
	})
	if _, err := os.Stat(filepath.Join(dir, "http.sock")); err != nil {
		t.Errorf("the socket of a killed master: %v; want it left behind", err)
	}
}

// TestSignalsOfProcess: the same signals as above, this time from the kernel.
func TestSignalsOfProcess(t *testing.T) {
	cmd, dir := exec.Command("/proc/self/exe"), masterDir(t)
	startMaster(t, cmd, dir)
	must(cmd.Process.Signal(unix.SIGHUP))
	eventually(t, "the reload is done", func() bool {
		log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
		return strings.Contains(string(log), "reload is done")
	})
	must(cmd.Process.Signal(unix.SIGINT))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the master ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "http.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// descendants returns the processes below pid.
func descendants(pid int) []int {
	var all []int
	tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, path := range tasks {
		children, _ := os.ReadFile(path)
		for _, word := range strings.Fields(string(children)) {
			child, _ := strconv.Atoi(word)
			all = append(append(all, child), descendants(child)...)
		}
	}
	return all
}
