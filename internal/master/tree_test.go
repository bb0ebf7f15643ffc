package master

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/config"
)

// patience is how long a test waits for something that takes milliseconds.
const patience = 30 * time.Second

// tree is a master in this process, with true children.
type tree struct {
	t       *testing.T
	dir     string
	m       *Master
	clock   *fakeClock // nil for the real one
	signals chan os.Signal
	config  atomic.Pointer[string]
	loadErr atomic.Pointer[error]
	prepare atomic.Pointer[error]
	done    chan error
	over    bool
	files   int
	threads int
}

// oneApp is a configuration with one application of two workers.
const oneApp = `
temp_path = "DIR"
worker_shutdown_timeout = "20s"
log = { level = "debug", error = "DIR/error.log" }
[app.blog]
module = "blog:app"
chdir = "DIR/blog"
processes = 2
[[server]]
listen = "unix:DIR/http.sock"
[[server.location]]
path = "/"
pass = "app:blog"
`

// twoApps adds another application to oneApp.
const twoApps = oneApp + `
[[server.location]]
path = "/api"
pass = "app:api"
[app.api]
module = "api:app"
chdir = "DIR/api"
`

// newTree makes a tree that is not started.
func newTree(t *testing.T, toml string) *tree {
	t.Helper()
	tr := &tree{t: t, dir: t.TempDir(), signals: make(chan os.Signal, 16), done: make(chan error, 1)}
	// The children may be another user's.
	for _, dir := range []string{filepath.Dir(tr.dir), tr.dir, filepath.Join(tr.dir, "blog"), filepath.Join(tr.dir, "api")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tr.configure(toml)
	opt := testOptions(tr.dir, func() string { return *tr.config.Load() })
	load, prepare := opt.Load, opt.Prepare
	opt.Load = func() (*config.Config, error) {
		if err := tr.loadErr.Load(); err != nil {
			return nil, *err
		}
		return load()
	}
	opt.Prepare = func(app *config.App, as *syscall.Credential) (Launch, error) {
		if err := tr.prepare.Load(); err != nil {
			return Launch{}, *err
		}
		return prepare(app, as)
	}
	tr.m = New(opt)
	return tr
}

// testOptions are the options of a master whose configuration toml returns.
func testOptions(dir string, toml func() string) Options {
	return Options{
		Version: "test",
		Load: func() (*config.Config, error) {
			return config.Parse(filepath.Join(dir, "hognose.toml"), []byte(toml()))
		},
		Prepare: func(*config.App, *syscall.Credential) (Launch, error) {
			return Launch{Settings: func() (*os.File, error) { return os.Open(os.DevNull) }}, nil
		},
	}
}

// configure sets what the next load gives.
func (tr *tree) configure(toml string) {
	toml = strings.ReplaceAll(toml, "DIR", tr.dir)
	tr.config.Store(&toml)
}

// start starts a tree and waits until it serves. At the end of the test it is stopped, and nothing must be left.
func start(t *testing.T, toml string) *tree {
	t.Helper()
	tr := newTree(t, toml)
	tr.run()
	tr.waitState(stateServing)
	return tr
}

// useFakeClock makes time stand still until the test moves it. Call it before run.
func (tr *tree) useFakeClock() {
	tr.clock = &fakeClock{time: time.Unix(1_000_000, 0)}
	tr.m.clock = tr.clock.clock()
}

func (tr *tree) run() {
	tr.files, tr.threads = openFiles(tr.t), runtime.NumGoroutine()
	go func() { tr.done <- tr.m.Run(tr.signals) }()
	tr.t.Cleanup(tr.cleanup)
}

// cleanup stops the tree and looks for what it left.
func (tr *tree) cleanup() {
	if !tr.over {
		tr.signals <- unix.SIGTERM
		if err := tr.wait(); err != nil {
			tr.t.Errorf("Run returned %v", err)
		}
	}
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); !errors.Is(err, unix.ECHILD) {
		tr.t.Errorf("there are children left (%v)", err)
	}
	if left, _ := filepath.Glob(tr.path("*.sock")); len(left) > 0 {
		tr.t.Errorf("sockets are left: %q", left)
	}
	eventually(tr.t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= tr.threads+1 }) // package signal keeps one
	if n := openFiles(tr.t); n > tr.files {
		tr.t.Errorf("%d descriptors are open; there were %d", n, tr.files)
	}
	if tr.t.Failed() || os.Getenv("SHOW") != "" {
		tr.t.Logf("told:\n%s\nlog:\n%s", tr.read("told"), tr.read("error.log"))
	}
}

// wait waits for the end of Run.
func (tr *tree) wait() error {
	tr.t.Helper()
	select {
	case err := <-tr.done:
		tr.over = true
		return err
	case <-time.After(patience):
		tr.t.Fatalf("Run does not end; log:\n%s", tr.read("error.log"))
		return nil
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range list {
		// Go's poller and signal handling keep theirs.
		if to, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && !strings.Contains(to, "anon_inode:[event") {
			n++
		}
	}
	return n
}

// do runs f in the event loop.
func (tr *tree) do(f func()) {
	tr.t.Helper()
	ran := make(chan struct{})
	tr.m.post(func() {
		f()
		close(ran)
	})
	select {
	case <-ran:
	case <-time.After(patience):
		tr.t.Fatal("the event loop is stuck")
	}
}

// see polls until ok, which is asked in the event loop, is true.
func (tr *tree) see(what string, ok func(m *Master) bool) {
	tr.t.Helper()
	eventually(tr.t, what, func() bool {
		var is bool
		tr.do(func() { is = ok(tr.m) })
		return is
	})
}

func (tr *tree) waitState(s state) {
	tr.t.Helper()
	eventually(tr.t, "the master is "+s.String(), func() bool {
		select {
		case err := <-tr.done:
			tr.over = true
			tr.t.Fatalf("Run ended with %v; log:\n%s", err, tr.read("error.log"))
		default:
		}
		var is bool
		tr.do(func() { is = tr.m.state == s })
		return is
	})
}

// waitLog waits until the log holds the text n times.
func (tr *tree) waitLog(text string, n int) {
	tr.t.Helper()
	eventually(tr.t, fmt.Sprintf("%q is logged %d times", text, n), func() bool { return strings.Count(tr.read("error.log"), text) >= n })
}

func (tr *tree) path(name string) string { return filepath.Join(tr.dir, name) }

func (tr *tree) read(name string) string {
	data, _ := os.ReadFile(tr.path(name))
	return string(data)
}

// tell makes a file that the children obey, until forget removes it.
func (tr *tree) tell(sign string) {
	tr.t.Helper()
	if err := os.WriteFile(tr.path(sign), nil, 0o666); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) forget(sign string) {
	tr.t.Helper()
	if err := os.Remove(tr.path(sign)); err != nil {
		tr.t.Fatal(err)
	}
}

// ask sends a line to the front and returns its answer.
func (tr *tree) ask(line string) string {
	tr.t.Helper()
	answer, err := ask(tr.path("http.sock"), line)
	if err != nil {
		tr.t.Fatal(err)
	}
	return answer
}

func ask(socket, line string) (string, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(answer), err
}

// pids returns the pids of the active workers of an application, once all are ready, in order.
func (tr *tree) pids(app string) []int {
	tr.t.Helper()
	var pids []int
	tr.see("all workers of "+app+" are ready", func(m *Master) bool {
		pids = nil
		a := m.apps[app]
		if a == nil {
			return false
		}
		for _, w := range a.active.workers {
			if w.state != workerReady {
				return false
			}
			pids = append(pids, w.pid)
		}
		return true
	})
	return pids
}

// zygote returns the pid of the active zygote.
func (tr *tree) zygote(app string) (pid int) {
	tr.t.Helper()
	tr.do(func() { pid = tr.m.apps[app].active.zygote.pid })
	return pid
}

// frontPID returns the pid of the front that serves.
func (tr *tree) frontPID() (pid int) {
	tr.t.Helper()
	tr.see("a front serves", func(m *Master) bool {
		if m.front == nil || !m.front.ready {
			return false
		}
		pid = m.front.pid
		return true
	})
	return pid
}

func (tr *tree) kill(pid int) {
	tr.t.Helper()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		tr.t.Fatal(err)
	}
}

// answers checks that a request is answered by one of the pids.
func (tr *tree) answers(app string, pids ...int) {
	tr.t.Helper()
	got := tr.ask(app)
	if pid, _ := strconv.Atoi(got); !slices.Contains(pids, pid) {
		tr.t.Errorf("app %s answers %q; want one of the pids %v", app, got, pids)
	}
}

// moved waits until a request is answered by one of the pids, and checks that no other answers any more. The front
// may be a moment behind the master.
func (tr *tree) moved(app string, pids ...int) {
	tr.t.Helper()
	eventually(tr.t, "the new workers of app "+app+" answer", func() bool {
		got, _ := strconv.Atoi(tr.ask(app))
		return slices.Contains(pids, got)
	})
	for range 5 {
		tr.answers(app, pids...)
	}
}

// reload sends SIGHUP and waits until n reloads have been done, or failed.
func (tr *tree) reload(outcome string, n int) {
	tr.t.Helper()
	tr.signals <- unix.SIGHUP
	tr.waitLog(outcome, n)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(pause)
	}
}

// fakeClock is a clock that stands still until it is moved.
type fakeClock struct {
	mu     sync.Mutex
	time   time.Time
	timers []*fakeTimer
}

type fakeTimer struct {
	at time.Time
	f  func()
}

func (c *fakeClock) clock() clock {
	return clock{
		now: func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.time
		},
		after: func(d time.Duration, f func()) func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			timer := &fakeTimer{c.time.Add(d), f}
			c.timers = append(c.timers, timer)
			return func() bool { return c.take(timer) }
		},
	}
}

// take removes a timer and reports whether it was there.
func (c *fakeClock) take(timer *fakeTimer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, t := range c.timers {
		if t == timer {
			c.timers = append(c.timers[:i], c.timers[i+1:]...)
			return true
		}
	}
	return false
}

// advance moves the clock, and runs the timers whose time has come.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	c.time = c.time.Add(d)
	var due []*fakeTimer
	for _, t := range c.timers {
		if !t.at.After(c.time) {
			due = append(due, t)
		}
	}
	c.mu.Unlock()
	for _, t := range due {
		if c.take(t) {
			t.f()
		}
	}
}
