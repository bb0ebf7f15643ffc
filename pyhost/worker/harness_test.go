package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
	"hognose/pyhost/python"
)

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// pythons returns the interpreters to test with: those of HOGNOSE_TEST_PYTHONS (a list like PATH), or python3
// and python3.8 to python3.14 of PATH, each that runs and has a shared libpython.
func pythons(t testing.TB) []python.Interpreter {
	names := filepath.SplitList(os.Getenv("HOGNOSE_TEST_PYTHONS"))
	if len(names) == 0 {
		names = []string{"python3"}
		for minor := 8; minor <= 14; minor++ {
			names = append(names, fmt.Sprintf("python3.%d", minor))
		}
	}
	var found []python.Interpreter
	seen := map[string]bool{}
	for _, name := range names {
		in, err := python.Find(name, nil)
		if err != nil {
			t.Logf("not tested: %v", err)
			continue
		}
		if !seen[in.Libpython] {
			seen[in.Libpython] = true
			found = append(found, in)
		}
	}
	if len(found) == 0 {
		t.Fatal("no Python with a shared libpython was found in PATH or HOGNOSE_TEST_PYTHONS")
	}
	return found
}

// anyPython returns the first of pythons.
func anyPython(t testing.TB) python.Interpreter {
	t.Helper()
	return pythons(t)[0]
}

// logs collects what zygote and workers write.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced with each write
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// pipe returns the write end of a pipe into l.
func (l *logs) pipe(t testing.TB) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.Copy(l, r)
		r.Close()
	}()
	return w
}

// wait waits until the log contains want.
func (l *logs) wait(t testing.TB, want string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		ok, more := strings.Contains(l.text.String(), want), l.more
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("log lacks %q; it is:\n%s", want, l)
		}
	}
}

// tree is a zygote with its workers; the test plays the master and the front.
type tree struct {
	t       testing.TB
	app     string
	cmd     *exec.Cmd
	control *os.File // to the zygote
	queue   *os.File // the front's end
	far     *os.File // the workers' end, kept open as the master does
	board   *wire.Board
	logs    *logs
	mail    chan wire.Control // from the zygote; closed when it has gone
	exited  chan error        // of the zygote

	workers []*process // all that were forked

	mu sync.Mutex
	id uint64
}

type options struct {
	python    python.Interpreter
	settings  python.Settings
	processes int
	threads   int
	env       []string
}

// startTree starts a zygote and does not wait for it.
func startTree(t testing.TB, o options) *tree {
	t.Helper()
	s := o.settings
	s.Processes, s.Threads = max(o.processes, 1), max(o.threads, 1)
	if s.App == "" {
		s.App = "test"
	}
	if s.Interpreter = o.python; s.Interpreter.Executable == "" {
		s.Interpreter = anyPython(t)
	}
	settings, err := s.Memfd()
	check(t, err)
	near, far, err := wire.Socketpair(unix.SOCK_SEQPACKET, "control")
	check(t, err)
	queue, queueFar, err := wire.Socketpair(unix.SOCK_SEQPACKET, "queue")
	check(t, err)
	check(t, unix.SetsockoptInt(int(queue.Fd()), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20))
	boardFile, err := wire.NewBoard(s.App, s.Processes, s.Threads)
	check(t, err)
	board, err := wire.OpenBoard(boardFile)
	check(t, err)
	tr := &tree{
		t: t, app: s.App, control: near, queue: queue, far: queueFar, board: board,
		logs: &logs{more: make(chan struct{})}, mail: make(chan wire.Control, 64), exited: make(chan error, 1),
	}
	log := tr.logs.pipe(t)
	tr.cmd = exec.Command("/proc/self/exe")
	tr.cmd.Env = append(append(os.Environ(), Role+"="+RolePython, "HOGNOSE_SECRET=1"), o.env...)
	tr.cmd.Stdout, tr.cmd.Stderr = log, log
	tr.cmd.ExtraFiles = []*os.File{far, settings, queueFar, boardFile}
	check(t, tr.cmd.Start())
	for _, f := range []*os.File{log, far, settings, boardFile} {
		f.Close()
	}
	go tr.readMail()
	go func() { tr.exited <- tr.cmd.Wait() }()
	t.Cleanup(tr.close)
	return tr
}

// newTree starts a zygote that has imported its application.
func newTree(t testing.TB, o options) *tree {
	t.Helper()
	tr := startTree(t, o)
	tr.expect(wire.ControlImported)
	return tr
}

func (tr *tree) readMail() {
	defer close(tr.mail)
	buf := make([]byte, wire.ControlLen+wire.MaxControlText)
	for {
		c, err := wire.RecvControl(tr.control, buf)
		if err != nil {
			return
		}
		tr.mail <- c
	}
}

// expect returns the next message of the zygote, which must be of type typ.
func (tr *tree) expect(typ uint32) wire.Control {
	tr.t.Helper()
	select {
	case c, ok := <-tr.mail:
		if !ok || c.Type != typ {
			tr.t.Fatalf("zygote said %+v (%v); want type %d; log:\n%s", c, ok, typ, tr.logs)
		}
		return c
	case <-time.After(patience):
		tr.t.Fatalf("zygote is silent; want message %d; log:\n%s", typ, tr.logs)
	}
	panic("unreachable")
}

// hangUp closes a socket although somebody may be reading from it, which puts Close off.
func hangUp(sock *os.File) {
	// Not by Fd: a reader may be putting the file away after an earlier call.
	if rc, err := sock.SyscallConn(); err == nil {
		rc.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	sock.Close()
}

func (tr *tree) close() {
	hangUp(tr.control) // the master dies
	tr.queue.Close()
	tr.far.Close()
	if tr.cmd.Process != nil {
		tr.cmd.Process.Kill()
	}
	tr.board.Close()
	if tr.t.Failed() {
		tr.t.Logf("log:\n%s", tr.logs)
	}
}

// process is one worker.
type process struct {
	tr      *tree
	number  int
	pid     int
	control *os.File
}

// fork orders worker n and waits until it receives; without fronts.
func (tr *tree) fork(n int) *process {
	tr.t.Helper()
	near, far, err := wire.Socketpair(unix.SOCK_SEQPACKET, "worker control")
	check(tr.t, err)
	log := tr.logs.pipe(tr.t)
	check(tr.t, wire.SendControl(tr.control, wire.Control{Type: wire.ControlFork, Worker: uint32(n)}, far, log))
	far.Close()
	log.Close()
	p := &process{tr: tr, number: n, control: near}
	tr.workers = append(tr.workers, p)
	p.pid = int(tr.expect(wire.ControlForked).Arg)
	tr.t.Cleanup(func() { near.Close() })
	ready := make(chan wire.Control, 1)
	go func() {
		c, _ := wire.RecvControl(near, make([]byte, 64))
		ready <- c
	}()
	select {
	case c := <-ready:
		if c.Type != wire.ControlReady || int(c.Worker) != n {
			tr.t.Fatalf("worker %d said %+v; want ready; log:\n%s", n, c, tr.logs)
		}
	case <-time.After(patience):
		tr.t.Fatalf("worker %d is not ready; log:\n%s", n, tr.logs)
	}
	return p
}

func (p *process) send(c wire.Control, files ...*os.File) {
	p.tr.t.Helper()
	check(p.tr.t, wire.SendControl(p.control, c, files...))
}

// queueMessage puts raw bytes on the queue.
func (tr *tree) queueMessage(msg []byte, files ...*os.File) {
	tr.t.Helper()
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	check(tr.t, unix.Sendmsg(int(tr.queue.Fd()), msg, oob, nil, 0))
}

// submit queues r and returns its id.
func (tr *tree) submit(r request) uint64 {
	tr.t.Helper()
	tr.mu.Lock()
	tr.id++
	id := tr.id
	tr.mu.Unlock()
	if r.file != nil {
		tr.queueMessage(r.encode(tr.t, id), r.file)
	} else {
		tr.queueMessage(r.encode(tr.t, id))
	}
	return id
}

// describe tells what the workers do, for a test that waited in vain.
func (tr *tree) describe() string {
	var text strings.Builder
	for _, p := range tr.workers {
		for i := range tr.board.Threads() {
			fmt.Fprintf(&text, "\n%+v", tr.board.Slot(p.number, i))
		}
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.pid))
		for _, task := range tasks {
			call, _ := os.ReadFile(task + "/syscall")
			where, _ := os.ReadFile(task + "/wchan")
			fmt.Fprintf(&text, "\n%s: %s in %s", task, strings.TrimSpace(string(call)), where)
		}
	}
	return text.String()
}

// waitExit waits until a process that is not our child has gone.
func waitExit(t testing.TB, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	check(t, err)
	defer unix.Close(fd)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if n > 0 {
			return
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			t.Fatal(err)
		}
	}
	t.Fatalf("process %d lives on", pid)
}

// poll waits until done says so.
func poll(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// app writes an application to a file and returns the settings for it.
func app(t testing.TB, source string) python.Settings {
	t.Helper()
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "webapp.py"), []byte(source), 0o644))
	return python.Settings{Module: "webapp", Chdir: dir}
}
