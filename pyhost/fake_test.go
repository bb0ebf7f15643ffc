package pyhost

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/uwsgi"
	"hognose/internal/wire"
)

// fakeApp is one generation of an application whose workers are in the test.
type fakeApp struct {
	t     *testing.T
	pool  *Pool
	id    uint64
	queue int // the workers' end
	board []byte
	pid   uint32 // of the last worker
}

// fakeWorker is a worker process with one thread.
type fakeWorker struct {
	app    *fakeApp
	index  int
	pid    uint32
	stream int
}

// got is a request as a worker sees it.
type got struct {
	wire.Request
	vars map[string]string
	body string
}

type events struct {
	mu      sync.Mutex
	retired []uint64
	killed  []int
}

func (e *events) functions() Events {
	return Events{
		Retired: func(_ string, g uint64) { e.mu.Lock(); e.retired = append(e.retired, g); e.mu.Unlock() },
		Kill:    func(_ string, _ uint64, w, _ int) { e.mu.Lock(); e.killed = append(e.killed, w); e.mu.Unlock() },
	}
}

func (e *events) has(f func(*events) bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return f(e)
}

func newPool(t *testing.T, cfg Config) (*Pool, *events) {
	t.Helper()
	if cfg.Listen == 0 {
		cfg.Listen = 100
	}
	ev := &events{}
	p := New("test", 7, cfg, zerolog.Nop(), ev.functions())
	t.Cleanup(p.Close)
	return p, ev
}

func newFakeApp(t *testing.T, p *Pool, id uint64, processes int) *fakeApp {
	t.Helper()
	return newNamedApp(t, p, id, processes, "test")
}

func newNamedApp(t *testing.T, p *Pool, id uint64, processes int, name string) *fakeApp {
	t.Helper()
	front, back, err := wire.Socketpair(unix.SOCK_SEQPACKET, "queue")
	if err != nil {
		t.Fatal(err)
	}
	file, err := wire.NewBoard(name, processes, 1)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, wire.SlotSize*(1+processes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(back.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddGeneration(id, front, os.NewFile(uintptr(fd), "queue"), file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { back.Close() })
	return &fakeApp{t: t, pool: p, id: id, queue: int(back.Fd()), board: mem}
}

func (a *fakeApp) worker(index int) *fakeWorker {
	a.t.Helper()
	front, back, err := wire.Socketpair(unix.SOCK_STREAM, "stream")
	if err != nil {
		a.t.Fatal(err)
	}
	fd, err := unix.Dup(int(back.Fd()))
	back.Close()
	if err != nil {
		a.t.Fatal(err)
	}
	a.pid++
	w := &fakeWorker{app: a, index: index, pid: a.pid, stream: fd}
	if err := a.pool.AddWorker(a.id, index, int(w.pid), front); err != nil {
		a.t.Fatal(err)
	}
	return w
}

func (w *fakeWorker) slot(state uint32, id uint64) {
	base := unsafe.Pointer(&w.app.board[wire.SlotSize*(1+w.index)])
	atomic.StoreUint32((*uint32)(base), w.pid)
	atomic.StoreUint64((*uint64)(unsafe.Add(base, 8)), id)
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	atomic.StoreUint64((*uint64)(unsafe.Add(base, 16)), uint64(ts.Nano()))
	atomic.StoreUint32((*uint32)(unsafe.Add(base, 56)), 7)
	atomic.StoreUint32((*uint32)(unsafe.Add(base, 4)), state)
}

// receive takes the next request and notes it on the scoreboard.
func (w *fakeWorker) receive() got {
	g := w.app.take()
	w.slot(wire.SlotBusy, g.ID)
	return g
}

// take receives a request without a trace.
func (a *fakeApp) take() got {
	a.t.Helper()
	buf, oob := make([]byte, 1<<18), make([]byte, 64)
	tv := unix.NsecToTimeval(int64(5 * time.Second))
	unix.SetsockoptTimeval(a.queue, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	n, oobn, _, _, err := unix.Recvmsg(a.queue, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		a.t.Errorf("no request came: %v", err)
		return got{}
	}
	return a.parse(buf[:n], oob[:oobn])
}

// poll receives a request; it reports false when none will come, for the pool is closed.
func (a *fakeApp) poll() (got, bool) {
	buf, oob := make([]byte, 1<<18), make([]byte, 64)
	fds := []unix.PollFd{{Fd: int32(a.queue), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 10_000); n <= 0 || err != nil {
		return got{}, false
	}
	n, oobn, _, _, err := unix.Recvmsg(a.queue, buf, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil || n == 0 {
		return got{}, false
	}
	return a.parse(buf[:n], oob[:oobn]), true
}

// unmap gives the workers' view of the scoreboard back.
func (a *fakeApp) unmap() { unix.Munmap(a.board) }

func (a *fakeApp) parse(msg, oob []byte) got {
	a.t.Helper()
	r, packet, body, err := wire.ParseRequest(msg)
	if err != nil {
		a.t.Errorf("bad message: %v", err)
	}
	g := got{Request: r, vars: map[string]string{}, body: string(body)}
	vars, err := uwsgi.Parse(nil, packet)
	if err != nil {
		a.t.Errorf("bad packet: %v", err)
	}
	for _, v := range vars {
		g.vars[string(v.Name)] = string(v.Value)
	}
	fds, _ := wire.ParseRights(oob)
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "body")
		b, _ := io.ReadAll(f)
		g.body = string(b)
		f.Close()
	}
	return g
}

func (w *fakeWorker) send(f wire.Frame, fds ...int) {
	b := wire.AppendFrame(nil, f)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for len(b) > 0 {
		n, err := unix.SendmsgN(w.stream, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != nil {
			return
		}
		b, oob = b[n:], nil
	}
}

func head(status int, kv ...string) []byte {
	h := wire.Head{Status: status, Reason: []byte("X")}
	for i := 0; i < len(kv); i += 2 {
		h.Fields = append(h.Fields, exchange.Field{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return wire.AppendHead(nil, h)
}

// answer sends a complete small response.
func (w *fakeWorker) answer(id uint64, body string) {
	w.send(wire.Frame{ID: id, Flags: wire.FrameHead | wire.FrameFin, Head: head(200), Body: []byte(body)})
	w.slot(wire.SlotIdle, id)
}

func (w *fakeWorker) die() { unix.Close(w.stream) }

// note receives one note of the front.
func (w *fakeWorker) note() (typ, count uint32, id uint64) {
	b := make([]byte, wire.NoteLen)
	tv := unix.NsecToTimeval(int64(5 * time.Second))
	unix.SetsockoptTimeval(w.stream, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	if n, err := unix.Read(w.stream, b); n != len(b) {
		w.app.t.Errorf("no note came: %d bytes, %v", n, err)
		return 0, 0, 0
	}
	le := func(p []byte) (v uint64) {
		for i := len(p) - 1; i >= 0; i-- {
			v = v<<8 | uint64(p[i])
		}
		return v
	}
	return uint32(le(b[:4])), uint32(le(b[4:8])), le(b[8:])
}

// result is a response as a client would see it.
type result struct {
	status int
	body   string
	err    error
	ended  error // of the body
}

// request serves one exchange through the pool, in the background.
func request(p *Pool, method string, body io.Reader, length int64, opt Options) <-chan result {
	done := make(chan result, 1)
	ex := &exchange.Exchange{Method: []byte(method), Target: []byte("/"), Path: []byte("/"), Proto: exchange.HTTP11, Body: body, ContentLength: length}
	if opt.Body == (spool.Limits{}) {
		opt.Body = spool.Limits{Inline: 64 << 10, Memory: 1 << 20}
	}
	h := p.Handler(opt)
	go func() {
		err := h(ex)
		r := result{status: ex.Response.Status, err: err}
		switch {
		case err != nil:
			r.status = exchange.StatusOf(err)
		case ex.Response.File != nil:
			b, err := io.ReadAll(io.NewSectionReader(ex.Response.File.File, ex.Response.File.Offset, ex.Response.File.N))
			r.body, r.ended = string(b), err
		case ex.Response.Stream != nil:
			for {
				b, _, err := ex.Response.Stream.Next()
				if err != nil {
					if err != io.EOF {
						r.ended = err
					}
					break
				}
				r.body += string(b)
			}
		default:
			r.body = string(ex.Response.Body)
		}
		ex.Response.Release()
		done <- r
	}()
	return done
}

func wait(t *testing.T, c <-chan result) result {
	t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no response came")
		return result{}
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}
