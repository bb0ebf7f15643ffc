package worker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// received is how many body bytes have come of r.
func (r *response) received() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, p := range r.pieces {
		n += len(p)
	}
	return n
}

// TestWindow: a response waits for its window, and others of the same worker do not.
func TestWindow(t *testing.T) {
	tr := newTree(t, options{settings: processes, threads: 2})
	f := tr.fork(0).front(1)
	f.manual.Store(true)
	id := tr.submit(get("/stream"))
	r := f.expect(id)
	poll(t, "the window is used up", func() bool { return r.received() == wire.Window })
	for range 10 {
		if got := f.do(tr, get("/hello")); got.body() != "hello" {
			t.Fatalf("beside a waiting response: got %v", got)
		}
	}
	if n := r.received(); n != wire.Window {
		t.Fatalf("%d bytes came; want %d until more is granted", n, wire.Window)
	}
	f.note(wire.NoteWindow, 1, id)
	poll(t, "the byte that was granted has come", func() bool { return r.received() == wire.Window+1 })
	f.note(wire.NoteWindow, 1, id+1000) // of a request that is not there
	for n := wire.Window + 1; n < 2000000; n += 50000 {
		f.note(wire.NoteWindow, 50000, id)
	}
	r.wait(tr)
	if len(r.body()) != 2000000 || r.aborted() {
		t.Fatalf("got %v", r)
	}
}

// TestCancel: a response that nobody waits for ends, in the middle of its body and while it waits for window.
func TestCancel(t *testing.T) {
	for _, path := range []string{"/endless", "/endless_write"} {
		for _, manual := range []bool{false, true} {
			t.Run(fmt.Sprint(path, manual), func(t *testing.T) {
				tr := newTree(t, options{settings: processes})
				f := tr.fork(0).front(1)
				f.manual.Store(manual)
				id := tr.submit(get(path))
				r := f.expect(id)
				poll(t, "much of the body has come", func() bool { return r.received() >= wire.Window })
				f.note(wire.NoteCancel, 0, id)
				if got := f.do(tr, get("/closes")); got.body() != "1" {
					t.Fatalf("responses closed: got %v", got)
				}
				if r.flags&(wire.FrameFin|wire.FrameAbort) != 0 {
					t.Fatalf("cancelled response ended: %v", r)
				}
				if log := tr.logs.String(); strings.Contains(log, "Traceback") {
					t.Fatalf("a cancelled response is logged as an error:\n%s", log)
				}
			})
		}
	}
}

// TestFrontDies: its responses are dropped, and the worker goes on with the next front.
func TestFrontDies(t *testing.T) {
	tr := newTree(t, options{settings: processes, threads: 2})
	p := tr.fork(0)
	old := p.front(1)
	old.manual.Store(true)
	var rs []*response
	for range 2 {
		rs = append(rs, old.expect(tr.submit(get("/endless"))))
	}
	for _, r := range rs {
		poll(t, "responses run", func() bool { return r.received() > 0 })
	}
	check(t, unix.Shutdown(int(old.stream.Fd()), unix.SHUT_RDWR))
	<-old.gone
	f := p.front(2)
	poll(t, "both responses are closed", func() bool { return f.do(tr, get("/closes")).body() == "2" })
	// A worker notices within moments; a request that it takes before is answered into the void.
	poll(t, "a request of the dead front is dropped", func() bool {
		tr.submit(get("/hello"))
		f.do(tr, get("/closes"))
		return strings.Contains(tr.logs.String(), ": front 1 has gone or is unknown")
	})
	// The same, by order of the master.
	f.manual.Store(true)
	endless := get("/endless")
	endless.front = 2
	r := f.expect(tr.submit(endless))
	poll(t, "the response runs", func() bool { return r.received() > 0 })
	p.send(wire.Control{Type: wire.ControlDrop, Arg: 2})
	<-f.gone
	f = p.front(3)
	poll(t, "the third response is closed", func() bool { return f.do(tr, get("/closes")).body() == "3" })
}

// TestFrontStalls: a front that does not read holds up its own responses only.
func TestFrontStalls(t *testing.T) {
	tr := newTree(t, options{settings: processes, threads: 4})
	p := tr.fork(0)
	near, far, err := wire.Socketpair(unix.SOCK_STREAM, "stream")
	check(t, err)
	p.send(wire.Control{Type: wire.ControlFront, Arg: 1}, far)
	far.Close()
	var r request = get("/endless")
	for range 3 {
		tr.submit(r)
	}
	f := p.front(2)
	poll(t, "three threads are busy", func() bool {
		busy := 0
		for i := range 4 {
			if s := tr.board.Slot(0, i); s.State == wire.SlotBusy && s.TX > 0 {
				busy++
			}
		}
		return busy == 3
	})
	for range 10 {
		if got := f.do(tr, get("/hello")); got.body() != "hello" {
			t.Fatalf("beside a stalled front: got %v", got)
		}
	}
	near.Close()
	poll(t, "the stalled responses are given up", func() bool { return f.do(tr, get("/closes")).body() == "3" })
}

// TestLateFront: a request may overtake the stream of its front.
func TestLateFront(t *testing.T) {
	tr := newTree(t, options{settings: processes})
	p := tr.fork(0)
	r := get("/hello")
	r.front = 5
	id := tr.submit(r)
	poll(t, "the request was taken", func() bool { return tr.board.Slot(0, 0).ID == id })
	got := p.front(5).expect(id)
	got.wait(tr)
	if got.body() != "hello" {
		t.Fatalf("got %v", got)
	}
}

// TestJunk: nothing that comes through a socket ends a worker or a zygote.
func TestJunk(t *testing.T) {
	tr := newTree(t, options{settings: processes, processes: 2, threads: 2})
	p := tr.fork(0)
	f := p.front(1)
	alive := func(what string) {
		t.Helper()
		if r := f.do(tr, get("/hello")); r.body() != "hello" {
			t.Fatalf("after %s: got %v", what, r)
		}
	}
	file, err := os.Open("/dev/null")
	check(t, err)
	defer file.Close()
	good := get("/hello")
	rng := rand.New(rand.NewPCG(1, 2))

	// The queue.
	tr.queueMessage(nil)
	tr.queueMessage([]byte("x"))
	tr.queueMessage(bytes.Repeat([]byte("x"), 200000))
	tr.queueMessage(make([]byte, wire.RequestLen), file, file, file)
	alive("junk on the queue")
	for i := range 200 {
		msg := good.encode(t, 1<<40+uint64(i))
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(msg))
			if at < 16 { // the magic, the front and the id stay: an unknown front is waited for
				continue
			}
			msg[at] = byte(rng.IntN(256))
		}
		msg = msg[:rng.IntN(len(msg)+1)]
		tr.queueMessage(msg)
		alive("a broken message")
	}
	tr.queueMessage(good.encode(t, 2<<40), file) // a descriptor that was not announced
	if r := f.expect(2 << 40); true {
		r.wait(tr)
		if !r.aborted() {
			t.Errorf("message with a stray descriptor: got %v", r)
		}
	}
	announced := good
	announced.file, announced.length = file, 10
	tr.queueMessage(announced.encode(t, 3<<40))
	if r := f.expect(3 << 40); true {
		r.wait(tr)
		if !r.aborted() {
			t.Errorf("message without its descriptor: got %v", r)
		}
	}
	alive("lies about descriptors")

	// Control sockets.
	for _, sock := range []*os.File{p.control, tr.control} {
		for _, msg := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("x"), 1000), wire.AppendControl(nil, wire.Control{Type: 99}),
			wire.AppendControl(nil, wire.Control{Type: wire.ControlFork}), wire.AppendControl(nil, wire.Control{Type: wire.ControlFront, Arg: 9})} {
			check(t, unix.Sendmsg(int(sock.Fd()), msg, nil, nil, 0))
			check(t, unix.Sendmsg(int(sock.Fd()), msg, unix.UnixRights(int(file.Fd()), int(file.Fd()), int(file.Fd())), nil, 0))
		}
	}
	alive("junk on the control sockets")
	tr.expect(wire.ControlExited) // the fork that came without descriptors
	tr.expect(wire.ControlForked) // the one with /dev/null for a control socket:
	tr.expect(wire.ControlExited) // its master is never heard
	q := tr.fork(1)
	q.send(wire.Control{Type: wire.ControlStop})
	tr.expect(wire.ControlExited)

	// The stream.
	g := p.front(2)
	g.stream.Write([]byte("this is no note at all, and much longer than one"))
	<-g.gone
	alive("junk on another front's stream")
}
