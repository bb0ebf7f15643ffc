package pyhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
	"hognose/internal/wire"
)

// The low bits of an id are the index of the call in the table, the rest is a sequence number.
const (
	indexBits = 20
	indexMask = 1<<indexBits - 1
)

// maxAttempts is how often one request is sent at most: once, and once more when its worker died.
const maxAttempts = 2

// goneAfter is the time in the front's queue after which a client is asked whether it still waits.
const goneAfter = 50 * time.Millisecond

// callQueue is a first-in first-out queue of calls. Not safe for concurrent use.
type callQueue struct {
	items []*call
	head  int
}

func (q *callQueue) len() int { return len(q.items) - q.head }

func (q *callQueue) push(c *call) { q.items = append(q.items, c) }

// pushFront puts c before all others.
func (q *callQueue) pushFront(c *call) {
	if q.head == 0 {
		q.items = append([]*call{nil}, q.items...)
		q.head = 1
	}
	q.head--
	q.items[q.head] = c
}

func (q *callQueue) peek() *call { return q.items[q.head] }

func (q *callQueue) pop() *call {
	c := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > 1024 && q.head > len(q.items)/2:
		q.items = append(q.items[:0], q.items[q.head:]...)
		q.head = 0
	}
	return c
}

// removeFunc takes those out for whom gone says so.
func (q *callQueue) removeFunc(gone func(*call) bool) {
	kept := slices.DeleteFunc(q.items[q.head:], gone)
	q.items = q.items[:q.head+len(kept)]
}

// remove takes c out, wherever it is.
func (q *callQueue) remove(c *call) bool {
	for i := q.head; i < len(q.items); i++ {
		if q.items[i] == c {
			q.items = append(q.items[:i], q.items[i+1:]...)
			return true
		}
	}
	return false
}

// submit sends c, or queues it, or refuses it.
func (p *Pool) submit(c *call) error {
	cfg := p.config.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.stopping()
	}
	c.since = p.clock.now()
	binary.LittleEndian.PutUint64(c.msg[16:], uint64(c.since))
	if p.waiting.len() == 0 && p.active != nil && p.send(p.active, c) {
		return nil
	}
	if p.waiting.len() >= cfg.Listen {
		return &exchange.StatusError{
			Code: http.StatusServiceUnavailable, RetryAfter: time.Second, Close: c.body != nil,
			Err: fmt.Errorf("app %q: %d requests wait already (listen = %d)", p.name, p.waiting.len(), cfg.Listen),
		}
	}
	p.waiting.push(c)
	return nil
}

// left fails a call whose client has left, and reports that. Pool.mu is held.
func (c *call) left() bool {
	if c.gone == nil || !c.gone() {
		return false
	}
	c.fail(&exchange.StatusError{Code: exchange.ClientClosed, Close: true})
	return true
}

// refill sends waiting calls while there is room. mu is held.
func (p *Pool) refill() {
	for p.waiting.len() > 0 && p.active != nil {
		c := p.waiting.peek()
		if p.clock.now()-c.since > int64(goneAfter) && c.left() {
			p.waiting.pop()
			continue
		}
		if !p.send(p.active, c) {
			return
		}
		p.waiting.pop()
	}
}

// send puts c into the queue of g and reports whether c is dealt with: sent, or failed for
// good. mu is held, so that ids enter the queue in order.
func (p *Pool) send(g *generation, c *call) bool {
	if g.inflight >= g.limit(p.config.Load().Ahead) {
		return false
	}
	idx, ok := p.index()
	if !ok {
		return false
	}
	p.seq++
	c.id = p.seq<<indexBits | uint64(idx)
	var err error
	if large := c.bodyLen > int64(len(c.msg)-wire.RequestLen-c.varsLen); large {
		err = c.openBody()
	}
	if err == nil {
		wire.AppendRequest(c.msg[:0], wire.Request{
			Front: p.front, ID: c.id, Queued: binary.LittleEndian.Uint64(c.msg[16:]),
			BodyLen: uint64(c.bodyLen), VarsLen: uint32(c.varsLen), Flags: c.fdFlags,
		})
		err = g.sendMessage(c)
	}
	if err != nil {
		p.free = append(p.free, idx)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) {
			return false
		}
		c.fail(exchange.Errorf(http.StatusBadGateway, "cannot send a request of %d bytes to app %q: %w", len(c.msg), p.name, err))
		return true
	}
	p.calls[idx] = c
	c.gen, c.state, c.since = g, callSent, p.clock.now()
	c.attempts++
	g.inflight++
	return true
}

// sendMessage is one sendmsg(2) that never blocks. It is a raw system call: it takes about
// a microsecond, and telling the scheduler about it would cost as much again.
func (g *generation) sendMessage(c *call) error {
	if c.fd == nil {
		return sendRaw(g.queueFD, c.msg)
	}
	if c.fdFlags&wire.RequestBodyPipe == 0 {
		if _, err := c.fd.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	_, err := unix.SendmsgN(g.queueFD, c.msg, unix.UnixRights(int(c.fd.Fd())), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err == nil {
		c.closeBody()
	}
	return err
}

// index returns an unused place in the table. mu is held.
func (p *Pool) index() (uint32, bool) {
	if n := len(p.free); n > 0 {
		idx := p.free[n-1]
		p.free = p.free[:n-1]
		return idx, true
	}
	if len(p.calls) > indexMask {
		return 0, false
	}
	p.calls = append(p.calls, nil)
	return uint32(len(p.calls) - 1), true
}

// lookup returns the call with that id, or nil. mu is held.
func (p *Pool) lookup(id uint64) *call {
	idx := id & indexMask
	if idx >= uint64(len(p.calls)) {
		return nil
	}
	if c := p.calls[idx]; c != nil && c.id == id {
		return c
	}
	return nil
}

// untable takes c out of the table. mu is held.
func (p *Pool) untable(c *call) {
	c.gen.inflight--
	p.calls[c.id&indexMask] = nil
	p.free = append(p.free, uint32(c.id&indexMask))
}

// finished notes that no worker holds c any more, and lets the next one in. mu is held.
func (p *Pool) finished(c *call) {
	c.state = callDone
	g := c.gen
	p.untable(c)
	c.removed = true
	p.drop(c)
	p.refill()
	if g.retiring && g.inflight == 0 {
		p.retired(g)
	}
}

// drop recycles c when nobody uses it any more, and reports that. mu is held.
func (p *Pool) drop(c *call) bool {
	if c.state == callWaiting && p.waiting.remove(c) {
		c.state = callDone
	}
	if c.abandoned && c.state == callDone && c.users == 0 {
		c.recycle()
		return true
	}
	return false
}
