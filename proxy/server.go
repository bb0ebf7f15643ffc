package proxy

import (
	"context"
	ctls "crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"hognose/internal/config"
)

// Settings are what one configuration means for the server. They are immutable; a reload replaces them as a whole.
type Settings struct {
	// Router finds the virtual host and location of a request.
	Router *Router
	// TLS returns the configuration of a listener with ssl, named by its address; nil when there are none.
	TLS func(listen string) *ctls.Config
	// Version is named in the Server field where server_tokens is set.
	Version string
	// WorkerConnections is the number of client connections at once (nginx: worker_connections).
	WorkerConnections int
}

// Server is the front's HTTP server. All methods may be called concurrently.
type Server struct {
	log      zerolog.Logger
	access   *AccessLog
	settings atomic.Pointer[Settings]
	clock    clock
	conns    registry
	perIP    ipLimiter

	mu        sync.Mutex // guards listeners and closed
	listeners map[string]*listener
	closed    bool

	refused  atomic.Int64 // connections since the janitor last logged them
	draining atomic.Bool
	wg       sync.WaitGroup // accept loops and connections
	stop     chan struct{}  // closed when nothing is left that has deadlines
	stopOnce sync.Once
}

// NewServer returns a server without listeners. access may be nil.
func NewServer(s *Settings, access *AccessLog, log zerolog.Logger) *Server {
	srv := &Server{log: log, access: access, listeners: map[string]*listener{}, stop: make(chan struct{})}
	srv.settings.Store(s)
	srv.clock.tick(time.Now())
	go srv.janitor()
	return srv
}

// Configure replaces the settings: requests from now on are routed by them, connections stay open.
func (s *Server) Configure(settings *Settings) { s.settings.Store(settings) }

// Listen serves exactly the given sockets: those with a new key are taken over, those that
// are served already are closed again, and those served now but not given stop. The
// connections of a stopped listener live on.
func (s *Server) Listen(socks map[config.Listen]net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("server is stopped")
	}
	keep := map[string]bool{}
	for spec, ln := range socks {
		key := spec.Addr()
		keep[key] = true
		if old := s.listeners[key]; old != nil {
			old.spec.Store(&spec)
			ln.Close()
			continue
		}
		l, err := newListener(s, spec, ln)
		if err != nil {
			return fmt.Errorf("cannot listen on %q: %w", key, err)
		}
		s.listeners[key] = l
		s.wg.Add(1)
		go l.accept()
	}
	for key, l := range s.listeners {
		if !keep[key] {
			l.close()
			delete(s.listeners, key)
		}
	}
	return nil
}

// Shutdown stops accepting, lets what runs finish until ctx ends, then closes the rest. It returns
// ctx's error when connections had to be cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		for _, l := range s.listeners {
			l.close()
		}
	}
	s.mu.Unlock()
	s.draining.Store(true)
	s.conns.each(func(c *conn) { c.expireIdle() })

	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("%d connections were still busy: %w", s.conns.count(), ctx.Err())
		s.conns.each(func(c *conn) { c.cut() })
		<-done
	}
	s.stopOnce.Do(func() { close(s.stop) })
	return err
}

// Connections returns the number of open client connections.
func (s *Server) Connections() int { return s.conns.count() }
