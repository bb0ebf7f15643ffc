package pyhost

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// streamBuffer holds at least one frame of the largest size.
const streamBuffer = 3 * wire.MaxFrame

// worker is a worker process as the front sees it: its response stream.
type worker struct {
	pool      *Pool
	gen       *generation
	index     int
	pid       int
	stream    *os.File
	raw       syscall.RawConn
	condemned bool // it ran into harakiri; guarded by Pool.mu

	mu      sync.Mutex // guards what follows
	fd      int        // of stream, -1 after its end
	pending []byte     // notes that did not fit into the socket

	// used by read only
	buf   []byte
	start int
	end   int
	oob   []byte
	files []*os.File // received and not yet asked for by a frame
}

func newWorker(p *Pool, g *generation, index, pid int, stream *os.File) (*worker, error) {
	fd, err := unix.FcntlInt(stream.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	stream.Close()
	if err != nil {
		return nil, fmt.Errorf("cannot take over the stream of worker %d of app %q: %w", index+1, p.name, err)
	}
	w := &worker{
		pool: p, gen: g, index: index, pid: pid, fd: fd, stream: os.NewFile(uintptr(fd), "stream"),
		buf: make([]byte, streamBuffer), oob: make([]byte, unix.CmsgSpace(16*4)),
	}
	if w.raw, err = w.stream.SyscallConn(); err != nil {
		w.stream.Close()
		return nil, fmt.Errorf("cannot take over the stream of worker %d of app %q: %w", index+1, p.name, err)
	}
	return w, nil
}

// read receives frames until the stream ends, which means that the worker has died or stopped.
func (w *worker) read() {
	err := w.loop()
	for _, f := range w.files {
		f.Close()
	}
	if ours := w.close(); !ours && !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		w.pool.log.Error().Int("worker", w.index+1).Int("pid", w.pid).Err(err).Msg("bad response stream: the worker is replaced")
		w.pool.events.Kill(w.pool.name, w.gen.id, w.index, w.pid)
	}
	w.pool.workerGone(w)
}

func (w *worker) loop() error {
	var n, oobn int
	var rerr error
	receive := func(fd uintptr) bool {
		n, oobn, _, _, rerr = unix.Recvmsg(int(fd), w.buf[w.end:], w.oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		return !errors.Is(rerr, unix.EAGAIN) && !errors.Is(rerr, unix.EINTR)
	}
	for {
		if err := w.raw.Read(receive); err != nil {
			return err
		}
		if oobn > 0 {
			if err := w.takeFiles(w.oob[:oobn]); err != nil {
				return err
			}
		}
		if rerr != nil {
			return rerr
		}
		if n == 0 {
			return io.EOF
		}
		w.end += n
		if err := w.frames(); err != nil {
			return err
		}
	}
}

func (w *worker) takeFiles(oob []byte) error {
	fds, err := wire.ParseRights(oob)
	for _, fd := range fds {
		w.files = append(w.files, os.NewFile(uintptr(fd), "response"))
	}
	return err
}

// frames handles the complete frames in the buffer and moves the rest to its start.
func (w *worker) frames() error {
	for {
		f, n, err := wire.ParseFrame(w.buf[w.start:w.end])
		if errors.Is(err, wire.ErrShort) {
			if w.start == w.end {
				w.start, w.end = 0, 0
			} else if w.start+n > len(w.buf) {
				w.end = copy(w.buf, w.buf[w.start:w.end])
				w.start = 0
			}
			return nil
		}
		if err != nil {
			return err
		}
		w.start += n
		var file *os.File
		if f.Flags&wire.FrameFile != 0 {
			if len(w.files) == 0 {
				return fmt.Errorf("file frame of request %#x came without a descriptor", f.ID)
			}
			file, w.files = w.files[0], w.files[1:]
		}
		w.pool.deliver(w, &f, file)
	}
}

// deliver hands a frame to its call.
func (p *Pool) deliver(w *worker, f *wire.Frame, file *os.File) {
	fin := f.Flags&wire.FrameFin != 0 || f.Flags&wire.FrameAbort != 0
	p.mu.Lock()
	c := p.lookup(f.ID)
	if c == nil || c.gen != w.gen {
		p.mu.Unlock()
		closeFile(file)
		return
	}
	c.since = p.clock.now()
	if c.abandoned {
		p.deliverAbandoned(w, c, fin)
		closeFile(file)
		return
	}
	if c.state == callSent {
		c.state = callBegun
	}
	if fin && f.Flags&wire.FrameHead != 0 {
		// The usual case, a small response in one frame: one critical section.
		c.deliver(w, f, file)
		p.finished(c)
		p.mu.Unlock()
		return
	}
	// The spool may write to a disk: not under the lock of all requests.
	c.users++
	p.mu.Unlock()
	c.deliver(w, f, file)
	p.mu.Lock()
	c.users--
	if fin && !c.removed {
		p.finished(c)
	} else {
		p.drop(c)
	}
	p.mu.Unlock()
}

// deliverAbandoned throws a frame away that nobody waits for. mu is held, and released.
func (p *Pool) deliverAbandoned(w *worker, c *call, fin bool) {
	if fin {
		p.finished(c)
		p.mu.Unlock()
		return
	}
	first := c.state == callSent
	c.state = callBegun
	id := c.id
	p.mu.Unlock()
	if first {
		w.note(wire.NoteCancel, 0, id)
	}
}

func closeFile(f *os.File) {
	if f != nil {
		f.Close()
	}
}

// note sends a note to the worker. It never blocks: what does not fit waits for the next note or tick.
func (w *worker) note(typ, count uint32, id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = wire.AppendNote(w.pending, typ, count, id)
	w.flush()
}

// flush sends the pending notes; mu is held.
func (w *worker) flush() {
	for w.fd >= 0 && len(w.pending) > 0 {
		n, err := unix.SendmsgN(w.fd, w.pending, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return // full: later; closed: the reader sees it too
		}
		w.pending = w.pending[n:]
	}
	w.pending = w.pending[:0]
}

// close ends the stream, so that read returns. It reports whether it was closed before.
func (w *worker) close() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return true
	}
	w.fd = -1
	w.stream.Close()
	return false
}

// sendRaw is send(2) without blocking and without a word to Go's scheduler.
func sendRaw(fd int, b []byte) error {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}
