package pyhost

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
	"hognose/internal/wire"
)

func TestHello(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	early := request(p, "GET", nil, 0, Options{}) // before any generation is active
	if err := p.Activate(1); err != nil {
		t.Fatal(err)
	}
	g := w.receive()
	if g.vars["REQUEST_METHOD"] != "GET" || g.Front != 7 {
		t.Errorf("the worker got %+v", g)
	}
	w.answer(g.ID, "hello")
	if r := wait(t, early); r.status != 200 || r.body != "hello" {
		t.Errorf("got %+v; want 200 and hello", r)
	}
}

func TestBodies(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 3 << 20} {
		for _, known := range []bool{true, false} {
			body := strings.Repeat("x", size)
			length := int64(-1)
			if known {
				length = int64(size)
			}
			c := request(p, "POST", strings.NewReader(body), length, Options{})
			g := w.receive()
			if g.body != body || g.BodyLen != uint64(size) {
				t.Errorf("body of %d bytes (known %v) came as %d, announced %d", size, known, len(g.body), g.BodyLen)
			}
			w.answer(g.ID, "ok")
			if r := wait(t, c); r.status != 200 {
				t.Errorf("got %+v", r)
			}
		}
	}
}

// TestSlowReader: a worker is let go although nobody reads what it sends.
func TestSlowReader(t *testing.T) {
	p, _ := newPool(t, Config{TempPath: t.TempDir()})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	ex := &exchange.Exchange{Method: []byte("GET"), Path: []byte("/")}
	done := make(chan error, 1)
	go func() { done <- p.Handler(Options{Buffering: true, MaxTempFileSize: 1 << 30})(ex) }()
	g := w.receive()
	want := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	sendAll(t, w, g.ID, want)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var got []byte
	for {
		b, _, err := ex.Response.Stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	ex.Response.Release()
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, or others; want %d", len(got), len(want))
	}
}

// sendAll sends a streamed response, as fast as the front allows.
func sendAll(t *testing.T, w *fakeWorker, id uint64, want []byte) {
	t.Helper()
	w.send(wire.Frame{ID: id, Flags: wire.FrameHead, Head: head(200)})
	credit := wire.Window
	for rest := want; len(rest) > 0; {
		n := min(credit, wire.MaxFrame, len(rest))
		if n == 0 {
			typ, count, noted := w.note()
			if typ != wire.NoteWindow || noted != id {
				t.Fatalf("note %d for %#x; want a window for %#x", typ, noted, id)
			}
			credit += int(count)
			continue
		}
		f := wire.Frame{ID: id, Body: rest[:n]}
		rest = rest[n:]
		credit -= n
		if len(rest) == 0 {
			f.Flags = wire.FrameFin
		}
		w.send(f)
	}
}

// TestWindow lets a worker send as much as it may: the front grants more only as it can keep it.
func TestWindow(t *testing.T) {
	for _, buffering := range []bool{true, false} {
		p, _ := newPool(t, Config{TempPath: t.TempDir()})
		a := newFakeApp(t, p, 1, 1)
		w := a.worker(0)
		p.Activate(1)
		c := request(p, "GET", nil, 0, Options{Buffering: buffering, MaxTempFileSize: 1 << 30})
		g := w.receive()
		want := bytes.Repeat([]byte("0123456789abcdef"), 256<<10) // 4 MiB
		sendAll(t, w, g.ID, want)
		if r := wait(t, c); r.body != string(want) || r.ended != nil {
			t.Errorf("buffering %v: %d bytes came, %v; want %d", buffering, len(r.body), r.ended, len(want))
		}
	}
}

func TestFile(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("0123456789")
	c := request(p, "GET", nil, 0, Options{})
	g := w.receive()
	w.send(wire.Frame{ID: g.ID, Flags: wire.FrameHead | wire.FrameFin | wire.FrameFile, Head: head(200), Offset: 2, Count: 5}, int(f.Fd()))
	if r := wait(t, c); r.body != "23456" {
		t.Errorf("got %+v; want the range of the file", r)
	}
}

func TestDeadWorker(t *testing.T) {
	f := func(method string, noted, begun bool, wantStatus int, wantBody string) {
		t.Helper()
		p, _ := newPool(t, Config{})
		a := newFakeApp(t, p, 1, 2)
		dying, sibling := a.worker(0), a.worker(1)
		p.Activate(1)
		c := request(p, method, nil, 0, Options{})
		var g got
		if noted {
			g = dying.receive()
		} else {
			g = a.take() // it dies before it wrote to the scoreboard
		}
		var second <-chan result
		if !noted {
			// A later request that somebody took shows that the first one is not in the queue.
			second = request(p, "GET", nil, 0, Options{})
			late := sibling.receive()
			sibling.answer(late.ID, "late")
		}
		if begun {
			dying.send(wire.Frame{ID: g.ID, Flags: wire.FrameHead, Head: head(200), Body: []byte("begun")})
			eventually(t, "the response", func() bool { return len(c) == 0 && begins(p, g.ID) })
		}
		dying.die()
		if wantBody == "again" {
			g = sibling.receive()
			sibling.answer(g.ID, "again")
		}
		r := wait(t, c)
		if r.status != wantStatus || r.body != wantBody {
			t.Errorf("%s, noted %v, begun %v: got %+v; want %d %q", method, noted, begun, r, wantStatus, wantBody)
		}
		if begun && r.ended == nil {
			t.Errorf("%s: a response that lost its worker ended well", method)
		}
		if second != nil {
			wait(t, second)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := p.active.inflight; n != 0 {
			t.Errorf("%s: %d requests still count as under way", method, n)
		}
	}
	f("GET", true, false, 200, "again")
	f("GET", false, false, 200, "again")
	f("POST", true, false, 502, "")
	f("POST", false, false, 502, "")
	f("GET", true, true, 200, "begun")
}

// begins reports whether the client's side has begun to pass the response on.
func begins(p *Pool, id uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.lookup(id)
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began
}

// TestReplayOnce: a request that kills two workers is not tried on a third.
func TestReplayOnce(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 3)
	w := []*fakeWorker{a.worker(0), a.worker(1), a.worker(2)}
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{})
	for i := range 2 {
		w[i].receive()
		w[i].die()
	}
	if r := wait(t, c); r.status != 502 {
		t.Errorf("got %+v; want 502", r)
	}
}

func TestQueueLimits(t *testing.T) {
	p, _ := newPool(t, Config{Listen: 2, Ahead: 1, QueueTimeout: 300 * time.Millisecond})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	busy := request(p, "GET", nil, 0, Options{})
	g := w.receive()
	waiting := []<-chan result{request(p, "GET", nil, 0, Options{})} // one ahead
	eventually(t, "sending", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 2 })
	for range 2 {
		waiting = append(waiting, request(p, "GET", nil, 0, Options{}))
	}
	eventually(t, "queueing", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.waiting.len() == 2 })
	if r := wait(t, request(p, "GET", nil, 0, Options{})); r.status != 503 {
		t.Errorf("the third in a queue of two got %+v; want 503", r)
	}
	for _, c := range waiting {
		if r := wait(t, c); r.status != 503 {
			t.Errorf("who waited too long got %+v; want 503", r)
		}
	}
	w.answer(g.ID, "ok")
	if r := wait(t, busy); r.status != 200 {
		t.Errorf("got %+v; want 200", r)
	}
}

func TestHarakiri(t *testing.T) {
	p, ev := newPool(t, Config{Harakiri: 200 * time.Millisecond})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{})
	w.receive()
	if r := wait(t, c); r.status != 504 {
		t.Errorf("got %+v; want 504", r)
	}
	eventually(t, "the kill", func() bool { return ev.has(func(e *events) bool { return len(e.killed) == 1 && e.killed[0] == 0 }) })
	w.die()
	eventually(t, "forgetting the request", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 0 })
}

func TestReadTimeout(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{ReadTimeout: 200 * time.Millisecond})
	g := w.receive()
	if r := wait(t, c); r.status != 504 {
		t.Errorf("got %+v; want 504", r)
	}
	// The worker answers late: nobody is confused.
	w.answer(g.ID, "late")
	c = request(p, "GET", nil, 0, Options{})
	w.answer(w.receive().ID, "next")
	if r := wait(t, c); r.body != "next" {
		t.Errorf("got %+v; want the answer of the next request", r)
	}
}

func TestReload(t *testing.T) {
	p, ev := newPool(t, Config{})
	old := newFakeApp(t, p, 1, 1)
	wOld := old.worker(0)
	p.Activate(1)
	c1 := request(p, "GET", nil, 0, Options{})
	g1 := wOld.receive()

	next := newFakeApp(t, p, 2, 1)
	wNext := next.worker(0)
	p.Activate(2)
	p.Retire(1)
	c2 := request(p, "GET", nil, 0, Options{})
	wNext.answer(wNext.receive().ID, "new")
	if r := wait(t, c2); r.body != "new" {
		t.Errorf("got %+v; want the new generation", r)
	}
	if ev.has(func(e *events) bool { return len(e.retired) > 0 }) {
		t.Error("the old generation retired with a request under way")
	}
	wOld.answer(g1.ID, "old")
	if r := wait(t, c1); r.body != "old" {
		t.Errorf("got %+v; want the old generation", r)
	}
	eventually(t, "retirement", func() bool { return ev.has(func(e *events) bool { return len(e.retired) == 1 && e.retired[0] == 1 }) })
	wOld.die()
}

// TestReloadMovesTheQueue: what nobody has received when its generation retires is served by the next, whatever its method.
func TestReloadMovesTheQueue(t *testing.T) {
	p, ev := newPool(t, Config{})
	old := newFakeApp(t, p, 1, 1)
	wOld := old.worker(0)
	p.Activate(1)
	busy := request(p, "POST", nil, 0, Options{})
	g := wOld.receive()
	big := strings.Repeat("x", 1<<20)
	var queued []<-chan result
	for range 3 {
		queued = append(queued, request(p, "POST", strings.NewReader(big), int64(len(big)), Options{}))
	}
	eventually(t, "sending", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 4 })
	next := newFakeApp(t, p, 2, 1)
	wNext := next.worker(0)
	p.Activate(2)
	p.Retire(1)
	for range queued {
		q := wNext.receive()
		if q.body != big {
			t.Errorf("the body came with %d bytes; want %d", len(q.body), len(big))
		}
		wNext.answer(q.ID, "new")
	}
	for _, c := range queued {
		if r := wait(t, c); r.body != "new" {
			t.Errorf("got %+v; want the new generation", r)
		}
	}
	wOld.answer(g.ID, "old")
	wait(t, busy)
	eventually(t, "retirement", func() bool { return ev.has(func(e *events) bool { return len(e.retired) == 1 }) })
	if ev.has(func(e *events) bool { return len(e.killed) > 0 }) {
		t.Error("a worker was to be killed")
	}
}

// TestQueueTimeoutAhead: a request that was sent and not received waits no longer than one in the front.
func TestQueueTimeoutAhead(t *testing.T) {
	p, _ := newPool(t, Config{QueueTimeout: 300 * time.Millisecond})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	busy := request(p, "GET", nil, 0, Options{})
	g := w.receive()
	if r := wait(t, request(p, "POST", nil, 0, Options{})); r.status != 503 {
		t.Errorf("got %+v; want 503", r)
	}
	w.answer(g.ID, "ok")
	if r := wait(t, busy); r.status != 200 {
		t.Errorf("got %+v; want 200: a worker had it", r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active.inflight != 0 {
		t.Errorf("%d requests still count as under way", p.active.inflight)
	}
}

func TestBadFrames(t *testing.T) {
	p, ev := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 2)
	bad, good := a.worker(0), a.worker(1)
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{})
	bad.receive()
	unix.Write(bad.stream, bytes.Repeat([]byte{0xff}, 100))
	good.answer(good.receive().ID, "replayed")
	if r := wait(t, c); r.body != "replayed" {
		t.Errorf("got %+v; want the sibling's answer", r)
	}
	eventually(t, "the kill", func() bool { return ev.has(func(e *events) bool { return len(e.killed) == 1 }) })
}

func TestBadHead(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	for _, h := range [][]byte{head(99), head(200, "Bad Name", "x"), head(200, "X", "a\r\nb"), {1, 2, 3}} {
		c := request(p, "GET", nil, 0, Options{})
		g := w.receive()
		w.send(wire.Frame{ID: g.ID, Flags: wire.FrameHead | wire.FrameFin, Head: h})
		if r := wait(t, c); r.status != 502 {
			t.Errorf("head %q gave %+v; want 502", h, r)
		}
	}
}

func TestAbort(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	c := request(p, "GET", nil, 0, Options{})
	w.send(wire.Frame{ID: w.receive().ID, Flags: wire.FrameAbort | wire.FrameFin})
	if r := wait(t, c); r.status != 500 {
		t.Errorf("got %+v; want 500", r)
	}
}

// TestClientLeaves: the worker is told, and the request keeps its place until the worker is done with it.
func TestClientLeaves(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
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
		t.Errorf("note %d for %#x; want a cancellation of %#x", typ, id, g.ID)
	}
	p.mu.Lock()
	n := p.active.inflight
	p.mu.Unlock()
	if n != 1 {
		t.Errorf("%d requests under way; want 1", n)
	}
	w.send(wire.Frame{ID: g.ID, Body: []byte("y")})
	w.send(wire.Frame{ID: g.ID, Flags: wire.FrameFin})
	eventually(t, "the end", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.active.inflight == 0 })
}

// TestSilentStream: the client of a stream that pauses leaves; the worker learns it without sending anything.
func TestSilentStream(t *testing.T) {
	p, _ := newPool(t, Config{})
	a := newFakeApp(t, p, 1, 1)
	w := a.worker(0)
	p.Activate(1)
	ex := &exchange.Exchange{Method: []byte("GET"), Path: []byte("/"), Gone: func() bool { return true }}
	done := make(chan error, 1)
	go func() {
		if err := p.Handler(Options{})(ex); err != nil {
			done <- err
			return
		}
		for {
			if _, _, err := ex.Response.Stream.Next(); err != nil {
				ex.Response.Release()
				done <- err
				return
			}
		}
	}()
	g := w.receive()
	w.send(wire.Frame{ID: g.ID, Flags: wire.FrameHead, Head: head(200), Body: []byte("x")})
	if err := <-done; exchange.StatusOf(err) != exchange.ClientClosed {
		t.Errorf("the stream ended with %v; want 499", err)
	}
	if typ, _, id := w.note(); typ != wire.NoteCancel || id != g.ID {
		t.Errorf("note %d for %#x; want a cancellation of %#x", typ, id, g.ID)
	}
}
