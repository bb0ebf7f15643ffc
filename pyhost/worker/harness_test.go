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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
	"hognose/internal/uwsgi"
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
	if fd := int(sock.Fd()); fd >= 0 {
		unix.Shutdown(fd, unix.SHUT_RDWR)
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

// front is one generation of a front as one worker sees it.
type front struct {
	t          testing.TB
	generation uint32
	stream     *os.File
	manual     atomic.Bool // grant no window by itself

	mu        sync.Mutex
	responses map[uint64]*response
	gone      chan struct{} // closed when the stream ends
	fds       []int
}

// response is what has come of one response.
type response struct {
	mu      sync.Mutex
	head    wire.Head
	pieces  [][]byte // the bodies of the frames
	files   []wire.Frame
	file    []byte // content of the files
	flags   uint32
	done    chan struct{} // closed with FIN or ABORT
	changed chan struct{} // capacity 1
}

// front hands the worker the stream of a front.
func (p *process) front(generation uint32) *front {
	p.tr.t.Helper()
	near, far, err := wire.Socketpair(unix.SOCK_STREAM, "stream")
	check(p.tr.t, err)
	p.send(wire.Control{Type: wire.ControlFront, Arg: uint64(generation)}, far)
	far.Close()
	f := &front{t: p.tr.t, generation: generation, stream: near, responses: map[uint64]*response{}, gone: make(chan struct{})}
	go f.read()
	p.tr.t.Cleanup(func() {
		unix.Shutdown(int(near.Fd()), unix.SHUT_RDWR)
		<-f.gone
		near.Close()
	})
	return f
}

func (f *front) read() {
	defer close(f.gone)
	buf, oob := make([]byte, 0, 1<<20), make([]byte, 1024)
	for {
		n, oobn, _, _, err := unix.Recvmsg(int(f.stream.Fd()), buf[len(buf):cap(buf)], oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		fds, _ := wire.ParseRights(oob[:oobn])
		f.fds = append(f.fds, fds...)
		buf = buf[:len(buf)+n]
		used := 0
		for {
			frame, n, err := wire.ParseFrame(buf[used:])
			if errors.Is(err, wire.ErrShort) {
				break
			}
			if err != nil {
				f.t.Errorf("worker sent a bad frame: %v", err)
				return
			}
			f.take(frame)
			used += n
		}
		buf = buf[:copy(buf[:cap(buf)], buf[used:])]
	}
}

func (f *front) expect(id uint64) *response {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.responses[id]
	if r == nil {
		r = &response{done: make(chan struct{}), changed: make(chan struct{}, 1)}
		f.responses[id] = r
	}
	return r
}

// forget drops what is known of a response that has ended.
func (f *front) forget(id uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.responses, id)
}

func (f *front) take(fr wire.Frame) {
	r := f.expect(fr.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flags&(wire.FrameFin|wire.FrameAbort) != 0 {
		f.t.Errorf("request %d: frame %#x after the end", fr.ID, fr.Flags)
		return
	}
	if fr.Flags&wire.FrameHead != 0 {
		if r.flags&wire.FrameHead != 0 {
			f.t.Errorf("request %d: second head", fr.ID)
		}
		if err := wire.ParseHead(&r.head, bytes.Clone(fr.Head)); err != nil {
			f.t.Errorf("request %d: %v", fr.ID, err)
		}
	} else if r.flags&wire.FrameHead == 0 && fr.Flags&wire.FrameAbort == 0 {
		f.t.Errorf("request %d: body before the head", fr.ID)
	}
	r.flags |= fr.Flags
	if len(fr.Body) > 0 || fr.Flags == 0 {
		r.pieces = append(r.pieces, bytes.Clone(fr.Body))
	}
	if fr.Flags&wire.FrameFile != 0 {
		f.takeFile(r, fr)
	}
	if len(fr.Body) > 0 && !f.manual.Load() {
		f.note(wire.NoteWindow, uint32(len(fr.Body)), fr.ID)
	}
	if fr.Flags&(wire.FrameFin|wire.FrameAbort) != 0 {
		close(r.done)
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (f *front) takeFile(r *response, fr wire.Frame) {
	if len(f.fds) == 0 {
		f.t.Errorf("request %d: no descriptor came with the file frame", fr.ID)
		return
	}
	file := os.NewFile(uintptr(f.fds[0]), "file")
	f.fds = f.fds[1:]
	defer file.Close()
	content := make([]byte, fr.Count)
	if _, err := file.ReadAt(content, int64(fr.Offset)); err != nil {
		f.t.Errorf("request %d: %v", fr.ID, err)
	}
	r.files = append(r.files, fr)
	r.file = append(r.file, content...)
}

func (f *front) note(typ, count uint32, id uint64) {
	f.stream.Write(wire.AppendNote(nil, typ, count, id)) // fails when the test has closed it
}

// request is one to be made.
type request struct {
	front  uint32
	vars   []exchange.Field
	body   []byte
	file   *os.File // the body, instead
	length uint64   // of file
	flags  uint32   // more of them
}

// get returns a GET of path with more variables (name, value, ...).
func get(path string, more ...string) request { return method("GET", path, more...) }

func method(m, target string, more ...string) request {
	path, query, _ := strings.Cut(target, "?")
	vars := fields(append([]string{
		"REQUEST_METHOD", m, "REQUEST_URI", target, "QUERY_STRING", query, "SCRIPT_NAME", "", "PATH_INFO", path,
		"SERVER_PROTOCOL", "HTTP/1.1", "REQUEST_SCHEME", "http", "REMOTE_ADDR", "127.0.0.1", "REMOTE_PORT", "5000",
		"SERVER_NAME", "localhost", "SERVER_PORT", "80", "HTTP_HOST", "localhost",
	}, more...)...)
	return request{front: 1, vars: vars}
}

func post(target string, body []byte, more ...string) request {
	r := method("POST", target, append(more, "CONTENT_LENGTH", fmt.Sprint(len(body)), "CONTENT_TYPE", "text/plain")...)
	r.body = body
	return r
}

func fields(kv ...string) []exchange.Field {
	var fs []exchange.Field
	for i := 0; i < len(kv); i += 2 {
		fs = append(fs, exchange.Field{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return fs
}

// encode returns the queue message of r.
func (r request) encode(t testing.TB, id uint64) []byte {
	t.Helper()
	packet, err := uwsgi.AppendPacket(nil, r.vars)
	check(t, err)
	var now unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	h := wire.Request{Front: r.front, ID: id, Queued: uint64(now.Nano()), BodyLen: uint64(len(r.body)), VarsLen: uint32(len(packet))}
	if r.file != nil {
		h.BodyLen, h.Flags = r.length, wire.RequestBodyFD|r.flags
	}
	return append(append(wire.AppendRequest(nil, h), packet...), r.body...)
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

// do makes a request and waits for the end of its response.
func (f *front) do(tr *tree, r request) *response {
	tr.t.Helper()
	r.front = f.generation
	resp := f.expect(tr.submit(r))
	resp.wait(tr)
	return resp
}

func (r *response) wait(tr *tree) {
	tr.t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.mu.Lock()
		defer r.mu.Unlock()
		tr.t.Fatalf("response does not end: flags %#x, %d pieces; log:\n%s", r.flags, len(r.pieces), tr.logs)
	}
}

func (r *response) body() string { return string(bytes.Join(r.pieces, nil)) + string(r.file) }

func (r *response) aborted() bool { return r.flags&wire.FrameAbort != 0 }

// header returns the values of a field, joined by "|".
func (r *response) header(name string) string {
	var values []string
	for _, f := range r.head.Fields {
		if strings.EqualFold(string(f.Name), name) {
			values = append(values, string(f.Value))
		}
	}
	return strings.Join(values, "|")
}

func (r *response) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("flags %#x, %d %q, fields %s, body %.200q", r.flags, r.head.Status, r.head.Reason, r.head.Fields, r.body())
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
