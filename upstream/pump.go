package upstream

import (
	"io"
	"sync"

	"hognose/internal/spool"
)

// pumpMemory is how much of a buffered response is kept in memory, in bytes (nginx: uwsgi_buffers).
const pumpMemory = 64 << 10

// pump takes a response from the server as fast as it comes and keeps it for its client. It is the Stream of a
// buffered response. One goroutine fills it; the goroutine of the exchange empties it.
type pump struct {
	call *call
	wg   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	queue   spool.Queue
	err     error // why nothing more comes; io.EOF is the good end
	stopped bool
}

func startPump(k *call) *pump {
	p := &pump{call: k}
	p.changed.L = &p.mu
	cfg := &k.client.cfg
	p.queue.Reset(pumpMemory, cfg.MaxTempFileSize, cfg.Body.Dir)
	p.wg.Go(p.run)
	return p
}

// run fills the queue until the response ends or nobody wants it any more.
func (p *pump) run() {
	for {
		piece, _, err := p.call.Next()
		if err != nil {
			p.call.hangUp() // the server's worker is free, however slow the client is
		}
		p.mu.Lock()
		if err != nil {
			p.err = err
		} else {
			p.queue.Write(piece)
		}
		p.changed.Broadcast()
		for p.err == nil && !p.stopped && p.queue.Full() {
			p.changed.Wait()
		}
		over := p.err != nil || p.stopped
		p.mu.Unlock()
		if over {
			return
		}
	}
}

// Next implements exchange.Stream.
func (p *pump) Next() (piece []byte, more bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		piece, err := p.queue.Next()
		if err != nil {
			return nil, false, err
		}
		if piece != nil {
			p.changed.Broadcast()
			return piece, p.queue.Len() > 0, nil
		}
		if p.err != nil {
			return nil, false, p.err
		}
		p.changed.Wait()
	}
}

// stop ends the pump, whose connection has been closed, and waits for it.
func (p *pump) stop() {
	p.mu.Lock()
	p.stopped = true
	p.changed.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	// What is left of the file is of no use to anyone: an error of closing has nothing to tell.
	p.queue.Close()
	p.err = io.ErrClosedPipe
}
