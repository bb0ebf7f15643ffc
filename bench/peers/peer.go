package peers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Names of the peers.
const (
	Hognose       = "hognose"
	NginxUWSGI    = "nginx+uwsgi"
	NginxGunicorn = "nginx+gunicorn"
	NginxGranian  = "nginx+granian"
	Granian       = "granian"
	Nginx         = "nginx"
	NginxCache    = "nginx+cache"
)

// A Peer is one way to serve a site.
type Peer struct {
	Name  string
	About string   // one line for the report
	Needs []string // programs of the system that it runs

	// app starts the app server, which listens on c.Socket, or on c.Listen when
	// there is no socket. It is nil when the front needs none.
	app func(c settings) (*process, error)
	// front starts what faces the client; nil when the app server does.
	front func(c settings) (*process, error)
	// protocol is what front and app speak with each other.
	protocol string
	// cache lets nginx keep files open.
	cache bool
	// appTitle tells, for a peer of one process tree, whether the process of that
	// title belongs to the application tier.
	appTitle func(title string) bool
}

// All returns every peer, in the order of the reports.
func All() []Peer {
	return []Peer{
		hognosePeer(), nginxUWSGIPeer(), nginxGunicornPeer(), nginxGranianPeer(), granianPeer(),
		nginxPeer(), nginxCachePeer(),
	}
}

// Start runs the peer and returns when it answers at readyPath. On error
// nothing is left running.
func (p Peer) Start(ctx context.Context, site Site, readyPath string) (*Server, error) {
	c, err := newSettings(site)
	if err != nil {
		return nil, err
	}
	c.Cache = p.cache
	if p.app != nil && p.front != nil && site.App != "" {
		c.Protocol, c.Socket = p.protocol, filepath.Join(site.Dir, "app.sock")
	}
	server, err := p.start(ctx, c, readyPath)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start %s: %w", p.Name, err), server.Stop())
	}
	return server, nil
}

// start runs the app server, then the front. The Server it returns is never
// nil and holds what was started.
func (p Peer) start(ctx context.Context, c settings, readyPath string) (*Server, error) {
	var app, front *process
	var err error
	server := assemble(c, nil, nil)
	if p.app != nil && c.App != "" {
		if app, err = p.app(c); err != nil {
			return server, err
		}
		server = assemble(c, app, nil)
	}
	if c.Socket != "" {
		if err := server.awaitSocket(ctx, c.Socket); err != nil {
			return server, err
		}
	}
	if p.front != nil {
		if front, err = p.front(c); err != nil {
			return server, err
		}
		server = assemble(c, app, front)
	}
	p.tiers(server)
	return server, server.awaitReady(ctx, readyPath)
}

// tiers tells the server how to tell front and application apart when both are
// in one process tree.
func (p Peer) tiers(server *Server) {
	switch {
	case p.appTitle != nil:
		server.app = func(_ int, title string) bool { return p.appTitle(title) }
		server.front = func(_ int, title string) bool { return !p.appTitle(title) }
	case p.front == nil:
		// The app server faces the clients: its processes are both.
		server.front = server.app
	}
}
