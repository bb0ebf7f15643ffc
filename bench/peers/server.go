package peers

import (
	"context"
	ctls "crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"hognose/bench/proc"
)

// readyDeadline is how long a peer may take from its start to its first answer.
const readyDeadline = 30 * time.Second

// Server is one running peer. It is for one goroutine.
type Server struct {
	URL  string // scheme and address, without a path
	Addr string // host:port

	procs []*process // in the order of their start
	front func(root int, title string) bool
	app   func(root int, title string) bool
}

// Roots returns the first process of each program of the peer.
func (s *Server) Roots() []int {
	var roots []int
	for _, p := range s.procs {
		roots = append(roots, p.pid())
	}
	return roots
}

// All returns the processes of the peer.
func (s *Server) All() ([]int, error) {
	return s.pick(func(int, string) bool { return true })
}

// Front returns the processes that hold client connections, with their master.
func (s *Server) Front() ([]int, error) { return s.pick(s.front) }

// App returns the processes of the application tier, with their master.
func (s *Server) App() ([]int, error) { return s.pick(s.app) }

// pick returns the processes that a function of root and title chooses.
func (s *Server) pick(choose func(root int, title string) bool) ([]int, error) {
	var pids []int
	for _, root := range s.Roots() {
		tree, err := proc.Tree(root)
		if err != nil {
			return nil, err
		}
		for _, stat := range tree {
			if choose(root, proc.Title(stat.PID)) {
				pids = append(pids, stat.PID)
			}
		}
	}
	return pids, nil
}

// Stop ends the peer, front first, and returns what did not go as it should.
func (s *Server) Stop() error {
	var problems []error
	for i := len(s.procs) - 1; i >= 0; i-- {
		problems = append(problems, s.procs[i].stop())
	}
	s.procs = nil
	return errors.Join(problems...)
}

// assemble makes a Server of an app server and a front, either of which may be
// missing.
func assemble(c settings, app, front *process) *Server {
	s := &Server{URL: c.url(), Addr: c.Listen}
	for _, p := range []*process{app, front} {
		if p != nil {
			s.procs = append(s.procs, p)
		}
	}
	of := func(p *process) func(int, string) bool {
		return func(root int, _ string) bool { return p != nil && root == p.pid() }
	}
	s.app, s.front = of(app), of(front)
	return s
}

// awaitReady returns when the site answers at path, or with the end of the log
// of whatever is in the way.
func (s *Server) awaitReady(ctx context.Context, path string) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &ctls.Config{InsecureSkipVerify: true}, // self-signed, made for this run
	}}
	return s.await(ctx, "an answer at "+s.URL+path, func() error {
		response, err := client.Get(s.URL + path)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("answer of status %d, want 200", response.StatusCode)
		}
		return nil
	})
}

// awaitSocket returns when something accepts on a Unix socket.
func (s *Server) awaitSocket(ctx context.Context, path string) error {
	return s.await(ctx, "a listener at its socket", func() error {
		if _, err := os.Stat(path); err != nil {
			return err
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// await polls until try succeeds.
func (s *Server) await(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, readyDeadline)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		for _, p := range s.procs {
			if p.ended() {
				return fmt.Errorf("%s ended before it was ready: %s", p.name, p.logTail())
			}
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("no sign of %s: %w (%w)%s", what, err, ctx.Err(), s.logs())
		}
	}
}

func (s *Server) logs() string {
	var text strings.Builder
	for _, p := range s.procs {
		fmt.Fprintf(&text, "\n%s wrote: %s", p.name, p.logTail())
	}
	return text.String()
}
