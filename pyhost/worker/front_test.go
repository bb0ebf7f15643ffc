package worker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

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
		tr.t.Fatalf("response does not end: flags %#x, %d pieces; %s\nlog:\n%s", r.flags, len(r.pieces), tr.describe(), tr.logs)
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
