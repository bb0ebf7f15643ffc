package pyhost

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/wire"
)

// TestCloseFailsAll: nobody waits for a pool that is closed, wherever the request is.
func TestCloseFailsAll(t *testing.T) {
	p, _ := newPool(t, Config{Ahead: 1})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	begun := request(p, "GET", nil, 0, Options{})
	g := w.receive()
	w.send(wire.Frame{ID: g.ID, Flags: wire.FrameHead, Head: head(200), Body: []byte("begun")})
	eventually(t, "the response", func() bool { return begins(p, g.ID) })
	sent := request(p, "GET", nil, 0, Options{})
	eventually(t, "sending", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 2 })
	waiting := request(p, "GET", nil, 0, Options{})
	eventually(t, "queueing", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.waiting.len() == 1 })
	p.Close()
	for name, c := range map[string]<-chan result{"sent": sent, "waiting": waiting} {
		if r := wait(t, c); r.status != 503 {
			t.Errorf("%s: got %+v; want 503", name, r)
		}
	}
	if r := wait(t, begun); r.ended == nil {
		t.Errorf("got %+v; want a response that breaks off", r)
	}
	if r := wait(t, request(p, "GET", nil, 0, Options{})); r.status != 503 {
		t.Errorf("after Close: got %+v; want 503", r)
	}
	p.check() // a tick that was late
	p.judgeReaders()
}

// TestLostAlone: a request whose worker died before it noted it is found, even if no other request follows.
func TestLostAlone(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 2)
	dying, sibling := a.worker(0), a.worker(1)
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{})
	a.take()
	dying.die()
	sibling.answer(sibling.receive().ID, "again")
	if r := wait(t, c); r.status != 200 || r.body != "again" {
		t.Errorf("got %+v; want the answer of a sibling", r)
	}
}

// TestLostToSuccessor: a worker took the place of a dead one before the front heard of the death. The scoreboard has
// its process id then, and still the last request of the dead.
func TestLostToSuccessor(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	dying := a.worker(0)
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{})
	g := dying.receive()
	successor := a.worker(0)
	successor.slot(wire.SlotIdle, g.ID)
	dying.die()
	successor.answer(successor.receive().ID, "again")
	if r := wait(t, c); r.status != 200 || r.body != "again" {
		t.Errorf("got %+v; want the answer of the successor", r)
	}
}

// TestQueuedIsNotLost: what is in the queue when a worker dies waits for another one, whatever its method.
func TestQueuedIsNotLost(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 2)
	dying := a.worker(0)
	p.Activate(1)
	first := request(p, "GET", nil, 0, Options{})
	dying.receive()
	second := request(p, "POST", nil, 0, Options{})
	eventually(t, "sending", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 2 })
	dying.die()
	eventually(t, "the search for lost requests", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.active.workers) == 0 && !p.active.checkLost
	})
	w := a.worker(1)
	for range 2 {
		w.answer(w.receive().ID, "late")
	}
	for _, c := range []<-chan result{first, second} {
		if r := wait(t, c); r.status != 200 || r.body != "late" {
			t.Errorf("got %+v; want 200", r)
		}
	}
}

// TestSlowClientIsNotSilence: a worker that waits for a slow client is not silent.
func TestSlowClientIsNotSilence(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	const limit = 300 * time.Millisecond
	want := bytes.Repeat([]byte("x"), 2*wire.Window)
	done := make(chan result, 1)
	go func() {
		ex := &exchange.Exchange{Method: []byte("GET"), Path: []byte("/")}
		r := result{err: p.Handler(Options{ReadTimeout: limit})(ex)}
		time.Sleep(3 * limit) // the client takes its time
		for r.err == nil {
			var b []byte
			b, _, r.err = ex.Response.Stream.Next()
			r.body += string(b)
		}
		ex.Response.Release()
		done <- r
	}()
	sendAll(t, w, w.receive().ID, want)
	if r := wait(t, done); r.err != io.EOF || len(r.body) != len(want) {
		t.Errorf("after %d of %d bytes: %v", len(r.body), len(want), r.err)
	}
}

// TestReplayOrBegin: a response that a dying worker began is either passed on or replayed, never both.
func TestReplayOrBegin(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 2)
	sibling := a.worker(1)
	p.Activate(1)
	received := make(chan uint64)
	go func() { // the dying and the sibling: the first sending of a request is the dying one's
		defer close(received)
		for g, ok := a.poll(); ok; g, ok = a.poll() {
			received <- g.ID
		}
	}()
	for i := range 300 {
		dying := a.worker(0)
		c := request(p, "GET", nil, 0, Options{})
		id := <-received
		dying.slot(wire.SlotBusy, id)
		dying.send(wire.Frame{ID: id, Flags: wire.FrameHead, Head: head(200, "X-First", "first")})
		if i%2 == 0 {
			runtime.Gosched()
		}
		dying.die()
		var r result
		select {
		case r = <-c:
		case again, ok := <-received:
			if !ok {
				t.Fatalf("request %d: neither an answer nor a replay", i)
			}
			id = again
			sibling.send(wire.Frame{ID: id, Flags: wire.FrameHead | wire.FrameFin, Head: head(200, "X-Other", "other"), Body: []byte("again")})
			r = wait(t, c)
		}
		if again := r.body == "again"; r.status != 200 || again == (r.ended != nil) {
			t.Fatalf("got %+v", r)
		}
	}
	p.Close()
	for range received {
		t.Error("a request was sent too often")
	}
}

// TestGoneWhileWaiting: clients who left do not keep others out of the line.
func TestGoneWhileWaiting(t *testing.T) {
	p, _ := newPool(t, Config{Listen: 3, Ahead: 1})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	busy := request(p, "GET", nil, 0, Options{})
	g := w.receive()
	request(p, "GET", nil, 0, Options{})
	eventually(t, "sending", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 2 })
	patient := request(p, "GET", nil, 0, Options{})
	eventually(t, "queueing", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.waiting.len() == 1 })
	var left atomic.Bool
	h := p.Handler(Options{})
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			errs <- h(&exchange.Exchange{Method: []byte("GET"), Path: []byte("/"), Gone: left.Load})
		}()
	}
	eventually(t, "queueing", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.waiting.len() == 3 })
	left.Store(true)
	for range 2 {
		select {
		case err := <-errs:
			if exchange.StatusOf(err) != exchange.ClientClosed {
				t.Errorf("got %v; want 499", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("who left still waits")
		}
	}
	w.answer(g.ID, "ok")
	for range 2 {
		w.answer(w.receive().ID, "ok")
	}
	wait(t, busy)
	if r := wait(t, patient); r.status != 200 {
		t.Errorf("who waited got %+v; want 200", r)
	}
}

// TestRetiredBoard: a generation that is gone leaves no memory behind.
func TestRetiredBoard(t *testing.T) {
	p, ev := newPool(t, Config{})
	boards := func() int {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "hognose scoreboard mapped")
	}
	for id := range uint64(3) {
		a := newNamedApp(t, p, id, 1, "mapped")
		w := a.worker(0)
		p.Activate(id)
		c := request(p, "GET", nil, 0, Options{})
		w.answer(w.receive().ID, "ok")
		wait(t, c)
		p.Retire(id)
		w.die()
		a.unmap()
	}
	eventually(t, "retirement", func() bool { return ev.has(func(e *events) bool { return len(e.retired) == 3 }) })
	eventually(t, "giving the memory back", func() bool { return boards() == 0 })
}

// TestBodyDescriptors: bodies that were sent, refused or never sent leave no descriptors behind.
func TestBodyDescriptors(t *testing.T) {
	p, _ := newPool(t, Config{Listen: 1, Ahead: 1, TempPath: t.TempDir()})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	before := descriptors(t)
	opt := Options{Body: spool.Limits{Inline: 1 << 10, Memory: 256 << 10, Dir: t.TempDir()}}
	var all []<-chan result
	for _, size := range []int{512, 100 << 10, 512 << 10} {
		for range 4 {
			all = append(all, request(p, "POST", strings.NewReader(strings.Repeat("x", size)), int64(size), opt))
		}
	}
	served := make(chan int)
	go func() {
		n := 0
		for g, ok := a.poll(); ok; g, ok = a.poll() {
			w.answer(g.ID, "ok")
			n++
		}
		served <- n
	}()
	for _, c := range all {
		if r := wait(t, c); r.status != 200 && r.status != 503 {
			t.Errorf("got %+v", r)
		}
	}
	eventually(t, "closing the bodies", func() bool { return descriptors(t) <= before })
	p.Close()
	if <-served == 0 {
		t.Error("none was served")
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// asked is a body that notes how much room it is offered before anything of it has come.
type asked struct {
	io.Reader
	room int
}

func (a *asked) Read(p []byte) (int, error) {
	if a.room == 0 {
		a.room = len(p)
	}
	return a.Reader.Read(p)
}

// TestAnnouncedBody: a client that announces a body and sends none costs little memory.
func TestAnnouncedBody(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	const size = wire.MaxInlineBody
	want := strings.Repeat("0123456789abcdef", size/16)
	body := &asked{Reader: iotest.OneByteReader(strings.NewReader(want))}
	c := request(p, "POST", body, size, Options{})
	g := w.receive()
	if g.body != want {
		t.Errorf("a body of %d bytes came as %d, or others", len(want), len(g.body))
	}
	w.answer(g.ID, "ok")
	if wait(t, c); body.room > 16<<10 {
		t.Errorf("%d bytes of memory were taken for a body that had not come", body.room)
	}
}

// TestCancelledWithoutEnd: a worker that was told that nobody waits stops without another frame. The request gives its place back
// when the scoreboard shows that the worker is done with it, and not before.
func TestCancelledWithoutEnd(t *testing.T) {
	p, _ := newPool(t, Config{Ahead: 1})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	for range 5 {
		ex := &exchange.Exchange{Method: []byte("GET"), Path: []byte("/")}
		done := make(chan error, 1)
		go func() { done <- p.Handler(Options{})(ex) }()
		g := w.receive()
		w.send(wire.Frame{ID: g.ID, Flags: wire.FrameHead, Head: head(200), Body: []byte("x")})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ex.Response.Release()
		if typ, _, id := w.note(); typ != wire.NoteCancel || id != g.ID {
			t.Fatalf("note %d for %#x; want a cancellation of %#x", typ, id, g.ID)
		}
		p.check()
		p.mu.Lock()
		n := p.active.inflight
		p.mu.Unlock()
		if n != 1 {
			t.Fatalf("%d requests under way; want 1", n)
		}
		w.slot(wire.SlotIdle, g.ID)
		eventually(t, "the end", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 0 })
	}
}
