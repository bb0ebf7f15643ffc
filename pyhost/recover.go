package pyhost

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
	"hognose/internal/wire"
)

// tickInterval is how precise the pool's deadlines are.
const tickInterval = 100 * time.Millisecond

// goneTicks is how many ticks pass between two looks at whether the client of a silent request is still there.
const goneTicks = 10

// warnTicks is how many ticks pass at least between two warnings that spool files cannot be written.
const warnTicks = 600

// lostChecks is how many ticks in a row a request must be held by nobody before it counts as lost: a
// worker that just received it writes its scoreboard slot within microseconds.
const lostChecks = 3

// workerGone deals with the requests that a worker took with it.
func (p *Pool) workerGone(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := w.gen
	if g.workers[w.index] == w {
		delete(g.workers, w.index)
	}
	g.readers--
	if p.closed {
		return
	}
	defer g.unmap()
	held := map[uint64]bool{}
	for t := range g.board.Threads() {
		if s := g.board.Slot(w.index, t); s.Front == p.front && int(s.PID) == w.pid && s.State == wire.SlotBusy {
			held[s.ID] = true
		}
	}
	for _, c := range p.calls {
		if c == nil || c.gen != g {
			continue
		}
		c.mu.Lock()
		answering := c.worker == w
		c.mu.Unlock()
		if answering || held[c.id] {
			p.bereaved(c, w)
		}
	}
	g.checkLost = true
}

// bereaved replays a call whose worker died, or fails it. mu is held.
func (p *Pool) bereaved(c *call, w *worker) {
	who := "its worker"
	if w != nil {
		who = fmt.Sprintf("worker %d (pid %d)", w.index+1, w.pid)
	}
	again := c.idempotent && !c.abandoned && c.attempts < maxAttempts && c.rewind()
	if !again { // the error is logged with the request
		c.giveUp(exchange.Errorf(http.StatusBadGateway, "app %q: %s died while it worked on this request", p.name, who))
		p.finished(c)
		return
	}
	p.log.Warn().Str("reason", who+" died").Msg("request lost its worker; it is sent to another")
	g := c.gen
	p.untable(c)
	p.waiting.pushFront(c)
	p.refill()
	if g.retiring && g.inflight == 0 {
		p.retired(g)
	}
}

// requeue puts a call that no worker has received before all that wait. mu is held.
func (p *Pool) requeue(c *call) {
	p.untable(c)
	if c.abandoned {
		c.state = callDone
		p.drop(c)
		return
	}
	c.rewind()
	p.waiting.pushFront(c)
}

// tick enforces deadlines until the pool is closed.
func (p *Pool) tick() {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.check()
			p.judgeReaders()
		}
	}
}

func (p *Pool) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	cfg, now := p.config.Load(), p.clock.now()
	p.expireWaiting(cfg, now)
	p.expireSilent(now)
	for _, g := range p.gens {
		p.expireQueued(g, cfg, now)
		p.forgetAbandoned(g)
		if p.gens[g.id] != g {
			continue // that was its last request
		}
		for _, w := range g.workers {
			w.mu.Lock()
			w.flush()
			w.mu.Unlock()
		}
		if cfg.Harakiri > 0 {
			p.harakiri(g, cfg.Harakiri, now)
		}
		if g.checkLost {
			p.findLost(g)
		}
	}
	p.refill()
}

// judgeReaders finds the slow readers among those whose response has begun. Their spools may write to a
// disk: not under the lock of all requests.
func (p *Pool) judgeReaders() {
	p.mu.Lock()
	var begun []*call
	for _, c := range p.calls {
		if c != nil && c.state == callBegun && !c.abandoned {
			c.users++
			begun = append(begun, c)
		}
	}
	p.mu.Unlock()
	var broken error
	for _, c := range begun {
		if err := c.judge(); err != nil {
			broken = err
		}
	}
	p.mu.Lock()
	for _, c := range begun {
		c.users--
		p.drop(c)
	}
	warn := broken != nil && (p.warned == 0 || p.ticks-p.warned >= warnTicks)
	if warn {
		p.warned = p.ticks
	}
	p.mu.Unlock()
	if warn {
		p.log.Error().Err(broken).Msg("responses for slow clients cannot be kept: workers wait for these clients")
	}
}

// expireWaiting refuses those who have waited too long. mu is held.
func (p *Pool) expireWaiting(cfg *Config, now int64) {
	for cfg.QueueTimeout > 0 && p.waiting.len() > 0 && now-p.waiting.peek().since > int64(cfg.QueueTimeout) {
		p.waiting.pop().fail(p.nobodyFree(cfg))
	}
}

func (p *Pool) nobodyFree(cfg *Config) error {
	return &exchange.StatusError{
		Code: http.StatusServiceUnavailable, RetryAfter: time.Second,
		Err: fmt.Errorf("app %q: no worker was free for %v (queue_timeout)", p.name, cfg.QueueTimeout),
	}
}

// expireQueued refuses those whom no worker received in time although they were sent. mu is held.
func (p *Pool) expireQueued(g *generation, cfg *Config, now int64) {
	for {
		r, ok := g.oldest(unix.MSG_PEEK)
		if !ok || r.Front != p.front || cfg.QueueTimeout <= 0 || now-int64(r.Queued) <= int64(cfg.QueueTimeout) {
			return
		}
		// A worker may have received it since: then this is the next one.
		if r, ok = g.oldest(0); !ok {
			return
		}
		c := p.lookup(r.ID)
		if c == nil || r.Front != p.front {
			continue
		}
		if now-int64(r.Queued) <= int64(cfg.QueueTimeout) {
			c.attempts--
			p.requeue(c)
			return
		}
		c.giveUp(p.nobodyFree(cfg))
		p.finished(c)
	}
}

// takeBack moves, when g retires, what no worker of g has received to the front of the line. mu is held.
func (p *Pool) takeBack(g *generation) {
	var back []*call
	for r, ok := g.oldest(0); ok; r, ok = g.oldest(0) {
		if c := p.lookup(r.ID); c != nil && r.Front == p.front {
			back = append(back, c)
		}
	}
	for i := len(back) - 1; i >= 0; i-- {
		back[i].attempts--
		p.requeue(back[i])
	}
	p.refill()
}

// oldest receives the header of the oldest message in the queue without waiting, or looks at it with
// MSG_PEEK. What a message carried is closed by the kernel: the call has it still.
func (g *generation) oldest(flags int) (wire.Request, bool) {
	var buf [wire.RequestLen]byte
	for {
		n, _, err := unix.Recvfrom(int(g.queueIn.Fd()), buf[:], flags|unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n < len(buf) {
			return wire.Request{}, false
		}
		return wire.ParseRequestHeader(buf[:])
	}
}

// expireSilent ends the wait for workers that say nothing, and for clients that have left
// meanwhile. mu is held.
func (p *Pool) expireSilent(now int64) {
	p.ticks++
	askGone := p.ticks%goneTicks == 0
	if askGone {
		p.waiting.removeFunc(func(c *call) bool { return now-c.since > int64(goneAfter) && c.left() })
	}
	for _, c := range p.calls {
		if c == nil || c.abandoned {
			continue
		}
		silent := time.Duration(now - c.since)
		switch {
		case silent > c.opt.ReadTimeout && c.behind():
			c.since = now // its worker may be waiting for the client, whose time is the connection's business
		case silent > c.opt.ReadTimeout:
			c.giveUp(exchange.Errorf(http.StatusGatewayTimeout, "app %q was silent for %v (uwsgi_read_timeout)", p.name, c.opt.ReadTimeout))
		case askGone && silent > tickInterval*goneTicks && c.gone != nil && c.gone():
			c.giveUp(&exchange.StatusError{Code: exchange.ClientClosed, Close: true})
		}
	}
}

// harakiri answers 504 for requests that run too long, and has their workers replaced. mu is held.
func (p *Pool) harakiri(g *generation, limit time.Duration, now int64) {
	for _, w := range g.workers {
		for t := range g.board.Threads() {
			s := g.board.Slot(w.index, t)
			if s.State != wire.SlotBusy || s.Front != p.front || int(s.PID) != w.pid || now-int64(s.Start) <= int64(limit) || w.condemned {
				continue
			}
			w.condemned = true
			if c := p.lookup(s.ID); c != nil {
				c.idempotent = false // a request that hangs would hang again
				c.giveUp(exchange.Errorf(http.StatusGatewayTimeout, "app %q: worker %d worked longer than %v (harakiri)", p.name, w.index+1, limit))
			}
			p.log.Error().Int("worker", w.index+1).Int("pid", w.pid).Dur("limit", limit).Msg("harakiri: the worker is killed")
			p.events.Kill(p.name, g.id, w.index, w.pid)
		}
	}
}

// forgetAbandoned ends the calls that nobody waits for and that their workers are done with. A worker that was told to stop
// sends no more frames; but it noted the call before its first frame, so the scoreboard tells. mu is held.
func (p *Pool) forgetAbandoned(g *generation) {
	for _, c := range p.calls {
		if c != nil && c.gen == g && c.abandoned && c.state == callBegun && !p.holds(g, c.id) {
			p.finished(c)
		}
	}
}

// holds reports whether a living worker of g is at work on id. mu is held.
func (p *Pool) holds(g *generation, id uint64) bool {
	for i, w := range g.workers {
		for t := range g.board.Threads() {
			if s := g.board.Slot(i, t); s.ID == id && p.held(s, w) {
				return true
			}
		}
	}
	return false
}

// held reports whether w is at work on the request of its slot s. An idle slot may name one of a worker that had the place before.
func (p *Pool) held(s wire.Slot, w *worker) bool {
	return s.Front == p.front && int(s.PID) == w.pid && (s.State == wire.SlotBusy || s.State == wire.SlotClosing)
}

// newestTaken returns the newest id that cannot be in the queue any more, by what the queue holds. Ids enter it in order. When a
// message of another front is the oldest, it tells nothing. mu is held.
func (p *Pool) newestTaken(g *generation) uint64 {
	switch r, ok := g.oldest(unix.MSG_PEEK); {
	case !ok:
		return p.seq<<indexBits | indexMask
	case r.Front == p.front:
		return r.ID - 1
	}
	return 0
}

// findLost looks for requests that a worker received but could not even note before it died:
// not in the queue any more, and held by nobody alive. mu is held.
func (p *Pool) findLost(g *generation) {
	held := map[uint64]bool{}
	newest := p.newestTaken(g)
	for i := range g.board.Processes() {
		w := g.workers[i]
		for t := range g.board.Threads() {
			s := g.board.Slot(i, t)
			if s.Front != p.front {
				continue
			}
			newest = max(newest, s.ID)
			if w != nil && p.held(s, w) {
				held[s.ID] = true
			}
		}
	}
	suspects := false
	for _, c := range p.calls {
		if c == nil || c.gen != g || c.state != callSent || c.id > newest || held[c.id] {
			continue
		}
		suspects = true
		if c.lost++; c.lost >= lostChecks {
			p.bereaved(c, nil)
		}
	}
	g.checkLost = suspects
}
