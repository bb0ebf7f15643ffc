package pyhost

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/wire"
)

// callState is where a call is on its way.
type callState uint8

const (
	callWaiting callState = iota // in the front
	callSent                     // in the queue of a generation, or in a worker that has not answered yet
	callBegun                    // a worker has sent the first frame
	callDone                     // the last frame came, or the call failed
)

// slowMemory is how much of a response is kept in memory for a slow reader before a file is
// used (nginx: uwsgi_buffers, 8 of 8k). Until a reader is known to be slow, memory holds what its worker may send: a window.
const slowMemory = 64 << 10

// call is one request on its way. The table's lock Pool.mu guards id, gen, state, attempts, abandoned
// and the times; mu guards the response, which the stream's reader writes and
// the connection's goroutine reads.
type call struct {
	pool *Pool
	opt  *Options
	wake chan struct{} // one token: the response began, went on, or failed
	gone func() bool

	// the request, written before submit and unchanged afterwards
	msg        []byte
	varsLen    int
	bodyLen    int64
	body       *spool.Body
	fd         *os.File // descriptor of a large body, for the next sending
	fdFlags    uint32   // its flags in the message
	idempotent bool

	// guarded by Pool.mu
	id        uint64
	gen       *generation
	state     callState
	attempts  int
	abandoned bool
	users     int   // stream readers that deliver to it right now
	removed   bool  // out of the table
	lost      int   // how many checks in a row found nobody who holds it
	since     int64 // monotonic nanoseconds: when it was queued, sent, or last heard of

	mu      sync.Mutex
	worker  *worker // who answers
	head    []byte  // response head as the worker sent it
	hasHead bool
	spool   spool.Queue
	file    *os.File // whole body as a file
	offset  int64
	count   int64
	fin     bool
	err     error
	unacked uint32 // body bytes received and not granted again
	slow    bool   // the reader does not keep up: the spool has a file
	taken   int64  // bytes that the reader took
	seen    int64  // taken, at the last tick
	parsed  wire.Head
	frange  exchange.FileRange
	began   bool // the head was handed to the client's side: no replay any more
}

var callPool = sync.Pool{New: func() any { return &call{wake: make(chan struct{}, 1)} }}

func newCall(p *Pool, ex *exchange.Exchange, opt *Options) *call {
	c := callPool.Get().(*call)
	c.pool, c.opt, c.gone = p, opt, ex.Gone
	c.resetSpool()
	switch string(ex.Method) {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE": // RFC 9110 section 9.2.2
		c.idempotent = true
	}
	return c
}

// resetSpool empties the spool, which begins in memory.
func (c *call) resetSpool() {
	c.spool.Close()
	c.spool.Reset(wire.Window, 0, "")
	c.slow, c.taken, c.seen = false, 0, 0
}

// judge looks, between two ticks, whether the reader keeps up. One that left half a window untouched for a
// whole tick is slow: what it has not taken goes to a file from now on, and the worker is let go. An error says
// why there is no such file, so that the worker has to wait.
func (c *call) judge() error {
	c.mu.Lock()
	if !c.slow && c.opt.Buffering && c.opt.MaxTempFileSize > 0 && c.taken == c.seen && c.spool.Len() >= wire.Window/2 {
		c.slow = true
		c.spool.Spill(slowMemory, c.opt.MaxTempFileSize, c.pool.config.Load().TempPath)
	}
	c.seen = c.taken
	broken := c.spool.Broken()
	w, id, grant := c.grant()
	c.mu.Unlock()
	if grant > 0 {
		w.note(wire.NoteWindow, grant, id)
	}
	return broken
}

// recycle gives the memory of a call back that is no longer in the table.
func (c *call) recycle() {
	c.closeBody()
	c.body.Close()
	c.spool.Close()
	if c.file != nil {
		c.file.Close()
	}
	select {
	case <-c.wake:
	default:
	}
	const keep = 32 << 10
	msg, head, fields, wake, q := c.msg, c.head, c.parsed.Fields, c.wake, c.spool
	if cap(msg) > keep {
		msg = nil
	}
	*c = call{wake: wake, msg: msg[:0], head: head[:0], spool: q}
	c.parsed.Fields = fields[:0]
	callPool.Put(c)
}

// signal wakes the connection's goroutine.
func (c *call) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// giveUp ends the wait for a response while a worker may still be busy with it. Pool.mu is held.
func (c *call) giveUp(err error) {
	c.mu.Lock()
	if c.err == nil && !c.fin {
		c.err = err
	}
	c.mu.Unlock()
	c.signal()
}

// fail ends the call with err: no frame will come any more. Pool.mu is held.
func (c *call) fail(err error) {
	c.state = callDone
	c.giveUp(err)
}

// respond turns the frames that came so far into ex.Response. It runs on the
// connection's goroutine, and releases the call when it returns an error.
func (c *call) respond(ex *exchange.Exchange) error {
	c.wait()
	err := c.begin(ex)
	c.mu.Unlock()
	if err != nil {
		ex.Response.Reset()
		c.release()
		return err
	}
	ex.Response.Owner = c
	return nil
}

// wait returns with mu held when there is a head or an error. A token may be stale: a replay takes back what it announced.
func (c *call) wait() {
	for {
		<-c.wake
		c.mu.Lock()
		if c.hasHead || c.err != nil {
			return
		}
		c.mu.Unlock()
	}
}

// begin fills ex.Response; mu is held.
func (c *call) begin(ex *exchange.Exchange) error {
	if c.err != nil {
		return c.err
	}
	c.began = true
	r := &ex.Response
	err := wire.ParseHead(&c.parsed, c.head)
	if err == nil {
		err = r.Adopt(c.parsed.Status, c.parsed.Reason, c.parsed.Fields)
	}
	if err != nil {
		return exchange.Errorf(http.StatusBadGateway, "app %q sent a bad response: %w", c.pool.name, err)
	}
	switch {
	case c.file != nil:
		c.frange = exchange.FileRange{File: c.file, Offset: c.offset, N: c.count}
		r.File, r.Length = &c.frange, c.count
	case c.fin:
		c.whole(ex, r)
	default:
		r.Stream = c
	}
	return nil
}

// whole uses a body that has arrived completely; one that was spooled to a file is streamed.
func (c *call) whole(ex *exchange.Exchange, r *exchange.Response) {
	n := c.spool.Len()
	if r.Length < 0 && !ex.IsHead() {
		r.Length = n
	}
	b, ok := c.spool.Take()
	if !ok {
		r.Stream = c
		return
	}
	r.Body = b
}

// Next returns the next piece of a streamed response: exchange.Stream.
func (c *call) Next() (p []byte, more bool, err error) {
	for {
		c.mu.Lock()
		p, err = c.spool.Next()
		if p != nil || err != nil {
			more = c.spool.Len() > 0 || c.fin
			c.taken += int64(len(p))
			w, id, grant := c.grant()
			c.mu.Unlock()
			if grant > 0 {
				w.note(wire.NoteWindow, grant, id)
			}
			return p, more, err
		}
		fin, failed := c.fin, c.err
		c.mu.Unlock()
		if failed != nil {
			return nil, false, failed
		}
		if fin {
			return nil, false, io.EOF
		}
		<-c.wake
	}
}

// grant says how much more the worker may send; mu is held: as much as the reader took or a file keeps. It
// waits until half the window is due, so that notes stay few.
func (c *call) grant() (w *worker, id uint64, n uint32) {
	n = c.unacked
	if !c.slow || c.spool.Full() {
		n -= min(n, uint32(min(c.spool.Len(), wire.Window)))
	}
	if n < wire.Window/2 || c.fin || c.worker == nil {
		return nil, 0, 0
	}
	c.unacked -= n
	return c.worker, c.id, n
}

// Close releases the call after its response: exchange.Response.Owner.
func (c *call) Close() error {
	c.release()
	return nil
}

// release takes the call out of the table, or leaves it there as abandoned while a worker
// still holds it: it still costs a place in the queue, and its frames must find it.
func (c *call) release() {
	p := c.pool
	p.mu.Lock()
	c.abandoned = true
	if p.drop(c) {
		p.mu.Unlock()
		return
	}
	c.mu.Lock()
	w, id := c.worker, c.id
	c.mu.Unlock()
	p.mu.Unlock()
	if w != nil {
		w.note(wire.NoteCancel, 0, id)
	}
}

// deliver adds a frame of this call; it runs on the stream's reader. It takes over file.
func (c *call) deliver(w *worker, f *wire.Frame, file *os.File) {
	c.mu.Lock()
	c.worker = w
	if err := c.take(f, file); err != nil && c.err == nil {
		c.err = err
	}
	if f.Flags&wire.FrameFin != 0 {
		c.fin = true
	}
	gw, id, grant := c.grant()
	c.mu.Unlock()
	c.signal()
	if grant > 0 {
		gw.note(wire.NoteWindow, grant, id)
	}
}

// take stores what a frame carries; mu is held.
func (c *call) take(f *wire.Frame, file *os.File) error {
	if f.Flags&wire.FrameAbort != 0 {
		if file != nil {
			file.Close()
		}
		if !c.hasHead {
			return exchange.Errorf(http.StatusInternalServerError, "app %q failed: its traceback is in the log", c.pool.name)
		}
		return fmt.Errorf("app %q broke its response off", c.pool.name)
	}
	if f.Flags&wire.FrameHead != 0 {
		if c.hasHead {
			return errors.New("worker sent two response heads")
		}
		c.head, c.hasHead = append(c.head[:0], f.Head...), true
	} else if !c.hasHead {
		return exchange.Errorf(http.StatusBadGateway, "app %q sent a body without a head", c.pool.name)
	}
	if file != nil {
		if c.file != nil {
			file.Close()
			return errors.New("worker sent two files")
		}
		c.file, c.offset, c.count = file, int64(f.Offset), int64(f.Count)
		return nil
	}
	if len(f.Body) > 0 {
		c.spool.Write(f.Body)
		c.unacked += uint32(len(f.Body))
	}
	return nil
}

// rewind makes the call as if it had never been sent, unless its response is passed on already, and
// reports that. Pool.mu is held.
func (c *call) rewind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began {
		return false
	}
	c.resetSpool()
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	c.worker, c.hasHead, c.fin, c.err, c.unacked = nil, false, false, nil, 0
	c.state, c.lost = callWaiting, 0
	return true
}

// behind reports whether the client's side has not taken all that came.
func (c *call) behind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spool.Len() > 0
}
