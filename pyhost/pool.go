package pyhost

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/uwsgi"
	"hognose/internal/wire"
)

// Config is what a pool needs to know about its application.
type Config struct {
	// Listen is the number of requests that may wait in the front (uWSGI: listen). Beyond it the answer is 503.
	Listen int
	// QueueTimeout is how long a request may wait before a worker takes it; then 503. 0 means for ever.
	QueueTimeout time.Duration
	// Harakiri is how long a worker may work on a request (uWSGI: harakiri); then 504, and the worker is killed. 0 means for ever.
	Harakiri time.Duration
	// Ahead is the number of requests kept in the kernel's queue beyond one per worker thread. 0 means the measured default.
	Ahead int
	// TempPath is the directory of spool files.
	TempPath string
}

// defaultAhead was found by measurement: see docs/architecture.md, "Ahead of the workers".
const defaultAhead = 64

// Options is what a location says about its requests to an application, in nginx's words.
type Options struct {
	// ReadTimeout is the longest silence of a worker: 504 (nginx: uwsgi_read_timeout).
	ReadTimeout time.Duration
	// Buffering lets a response be kept for a slow reader, so that the worker is free (nginx: uwsgi_buffering).
	Buffering bool
	// MaxTempFileSize bounds a kept response on disk (nginx: uwsgi_max_temp_file_size).
	MaxTempFileSize int64
	// Body says where request bodies are kept.
	Body spool.Limits
}

// Events are the pool's reports to the front's owner. Functions are called from the pool's goroutines and must not block.
type Events struct {
	// Retired says that no request of the generation is under way any more.
	Retired func(app string, generation uint64)
	// Kill asks for the replacement of a worker that ran into harakiri.
	Kill func(app string, generation uint64, worker, pid int)
}

// Pool is one application as the front sees it. All methods may be called concurrently.
type Pool struct {
	name   string
	front  uint32 // generation of this front process
	log    zerolog.Logger
	clock  clock
	events Events
	config atomic.Pointer[Config]

	mu      sync.Mutex // guards what follows and the fields of generations and calls that say so
	active  *generation
	gens    map[uint64]*generation
	calls   []*call  // table: the low bits of an id are its index here
	free    []uint32 // unused indexes
	seq     uint64
	waiting callQueue
	ticks   uint64
	warned  uint64 // tick of the last warning about spool files
	closed  bool

	stop chan struct{}
}

// New returns a pool without generations: requests wait until Activate. front is the
// generation of this front process.
func New(name string, front uint32, cfg Config, log zerolog.Logger, events Events) *Pool {
	p := &Pool{
		name: name, front: front, events: events, clock: newClock(), stop: make(chan struct{}),
		log: log.With().Str("app", name).Logger(), gens: map[uint64]*generation{},
	}
	p.Configure(cfg)
	go p.tick()
	return p
}

// Configure replaces the configuration for requests from now on.
func (p *Pool) Configure(cfg Config) {
	if cfg.Ahead <= 0 {
		cfg.Ahead = defaultAhead
	}
	p.config.Store(&cfg)
}

// Close ends the pool: calls that are under way fail, streams and queues are closed.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	close(p.stop)
	for i, c := range p.calls {
		if c != nil {
			p.calls[i], c.removed = nil, true
			c.fail(p.stopping())
			p.drop(c)
		}
	}
	for p.waiting.len() > 0 {
		p.waiting.pop().fail(p.stopping())
	}
	for _, g := range p.gens {
		g.close()
	}
	p.gens, p.active = map[uint64]*generation{}, nil
}

func (p *Pool) stopping() error {
	return exchange.Errorf(http.StatusServiceUnavailable, "app %q: the front is stopping", p.name)
}

// Handler returns the exchange.Handler of a location that passes to this application.
func (p *Pool) Handler(opt Options) exchange.Handler {
	if opt.ReadTimeout <= 0 {
		opt.ReadTimeout = 60 * time.Second
	}
	return func(ex *exchange.Exchange) error { return p.serve(ex, &opt) }
}

// serve sends the request and waits until its response has begun.
func (p *Pool) serve(ex *exchange.Exchange, opt *Options) error {
	c := newCall(p, ex, opt)
	if err := c.build(ex, opt); err != nil {
		c.recycle()
		return err
	}
	if err := p.submit(c); err != nil {
		c.recycle()
		return err
	}
	return c.respond(ex)
}

// build makes the queue message of ex: header, packet and inline body, or a descriptor.
func (c *call) build(ex *exchange.Exchange, opt *Options) error {
	if ex.Body == nil {
		return c.packet(ex, -1)
	}
	if n := ex.ContentLength; n >= 0 && n <= wire.MaxInlineBody && n <= int64(opt.Body.Inline) {
		return c.inlineBody(ex, int(n))
	}
	lim := opt.Body
	lim.Inline = min(lim.Inline, wire.MaxInlineBody)
	body, err := spool.ReadBody(ex.Body, ex.ContentLength, lim)
	if err != nil {
		return err
	}
	c.body = body
	if err := c.packet(ex, body.Len()); err != nil {
		return err
	}
	c.bodyLen = body.Len()
	if body.File() == nil && c.bodyLen <= wire.MaxInlineBody {
		c.msg = append(c.msg, body.Bytes()...)
		return nil
	}
	return c.openBody()
}

// openBody makes the descriptor that goes with the message. One in a pipe can be read once, so each sending takes a new one.
func (c *call) openBody() error {
	if c.fd != nil {
		return nil
	}
	if f := c.body.File(); f != nil {
		c.fd, c.fdFlags = f, wire.RequestBodyFD
		return nil
	}
	f, pipe, err := spool.Descriptor(c.body.Bytes())
	if err != nil {
		return exchange.Errorf(http.StatusInternalServerError, "app %q: %w", c.pool.name, err)
	}
	c.fd, c.fdFlags = f, wire.RequestBodyFD
	if pipe {
		c.fdFlags |= wire.RequestBodyPipe
	}
	return nil
}

// closeBody forgets the descriptor of the message.
func (c *call) closeBody() {
	if c.fd != nil && c.fd != c.body.File() {
		c.fd.Close()
	}
	c.fd = nil
}

// packet appends the variables behind the space that the header will take.
func (c *call) packet(ex *exchange.Exchange, contentLength int64) error {
	msg, err := uwsgi.AppendRequest(append(c.msg[:0], make([]byte, wire.RequestLen)...), ex, contentLength)
	if err != nil {
		return &exchange.StatusError{Code: http.StatusRequestHeaderFieldsTooLarge, Err: err, Close: true}
	}
	c.msg, c.varsLen = msg, len(msg)-wire.RequestLen
	return nil
}

func (c *call) inlineBody(ex *exchange.Exchange, n int) error {
	if err := c.packet(ex, int64(n)); err != nil {
		return err
	}
	for end := len(c.msg) + n; len(c.msg) < end; {
		if len(c.msg) == cap(c.msg) { // memory follows what has come, not what was announced
			c.msg = slices.Grow(c.msg, min(end-len(c.msg), len(c.msg)))
		}
		m, err := ex.Body.Read(c.msg[len(c.msg):min(cap(c.msg), end)])
		c.msg = c.msg[:len(c.msg)+m]
		if err == nil || len(c.msg) == end {
			continue
		}
		if err == io.EOF {
			err = &exchange.StatusError{Code: http.StatusBadRequest, Err: fmt.Errorf("body ends after fewer than %d bytes", n), Close: true}
		}
		return err
	}
	c.bodyLen = int64(n)
	return nil
}
