package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// Router finds the virtual host and the location of each request, as nginx does: by the address it arrived at,
// its host, and its path. It is immutable and safe for concurrent use; a reload builds another one.
type Router struct {
	sites map[string]*site // by config.Listen.Addr
	// orphans serves connections whose listening socket the configuration does not have any more.
	orphans *site
}

// site is what is served on one listening socket.
type site struct {
	guard    *Guard
	http     *config.HTTP
	hosts    map[string]*host // by server_name
	fallback *host            // of other names; nil refuses them
	marked   bool             // fallback is the default_server
	unknown  *Location
	server   *Location // of OPTIONS *
}

// host is one server on one listening socket.
type host struct {
	name     string // SERVER_NAME
	trusted  *Forwarder
	exact    map[string]*Location // by path
	prefixes []*Location          // longest first
	nowhere  *Location
}

// Location is what answers a request.
type Location struct {
	// HTTP is what is in force here.
	HTTP config.HTTP
	// Handler answers the requests.
	Handler exchange.Handler

	prefix       string
	script, root string
	params       []exchange.Field
}

// Build makes the handler of a location.
type Build func(*config.Server, *config.Location) (exchange.Handler, error)

// NewRouter returns the router of the given servers.
func NewRouter(servers []*config.Server, build Build) (*Router, error) {
	r := &Router{sites: map[string]*site{}, orphans: newSite(&config.Default().HTTP)}
	for _, s := range servers {
		h, err := newHost(s, build)
		if err != nil {
			return nil, err
		}
		for _, l := range s.Listen {
			if err := r.add(l, s, h); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func newSite(cfg *config.HTTP) *site {
	s := &site{hosts: map[string]*host{}}
	s.limits(cfg)
	return s
}

// limits sets what applies before the host is known.
func (s *site) limits(cfg *config.HTTP) {
	s.http = cfg
	s.guard = NewGuard(GuardConfig{
		RequestLine: int(cfg.LargeClientHeaderBuffers.Size), HeaderBlock: int(cfg.LargeClientHeaderBuffers.Block()),
		MaxFields: cfg.MaxHeaders, Underscores: cfg.UnderscoresInHeaders, MergeSlashes: cfg.MergeSlashes,
	})
	s.unknown = &Location{HTTP: *cfg}
	s.server = &Location{HTTP: *cfg, Handler: RenderOptions}
}

// add puts a server on a socket. Other names than those of its servers go to the default server, else to one without a
// name. The limits are those of that server, else of the first one.
func (r *Router) add(l config.Listen, srv *config.Server, h *host) error {
	s := r.sites[l.Addr()]
	if s == nil {
		s = newSite(&srv.HTTP)
		r.sites[l.Addr()] = s
	}
	if l.DefaultServer && s.marked {
		return fmt.Errorf("%q has two default servers", l.Addr())
	}
	if l.DefaultServer || s.fallback == nil && isNameless(srv) {
		s.fallback, s.marked = h, l.DefaultServer
		s.limits(&srv.HTTP)
	}
	for _, name := range srv.ServerName {
		if other := s.hosts[name]; other != nil && other != h {
			return fmt.Errorf("server_name %q is there twice on %q", name, l.Addr())
		}
		if name != "_" {
			s.hosts[name] = h
		}
	}
	return nil
}

// isNameless reports whether a server has no name that a request could have.
func isNameless(srv *config.Server) bool {
	return !slices.ContainsFunc(srv.ServerName, func(name string) bool { return name != "" && name != "_" })
}

func newHost(srv *config.Server, build Build) (*host, error) {
	h := &host{
		exact: map[string]*Location{}, trusted: NewForwarder(srv.HTTP.SetRealIPFrom),
		nowhere: &Location{HTTP: srv.HTTP},
	}
	if len(srv.ServerName) > 0 && srv.ServerName[0] != "_" {
		h.name = srv.ServerName[0]
	}
	redirects := map[string]*Location{}
	for _, cfg := range srv.Locations {
		loc, err := newLocation(srv, cfg, build)
		if err != nil {
			return nil, fmt.Errorf("location %q of server %q: %w", cfg.Path, h.name, err)
		}
		if cfg.Path.Exact {
			h.exact[cfg.Path.Path] = loc
			continue
		}
		h.prefixes = append(h.prefixes, loc)
		if n := len(loc.prefix) - 1; cfg.Pass.Kind != "" && n > 0 && loc.prefix[n] == '/' {
			redirects[loc.prefix[:n]] = &Location{HTTP: cfg.HTTP, Handler: redirectTo(loc.prefix)}
		}
	}
	slices.SortStableFunc(h.prefixes, func(a, b *Location) int { return len(b.prefix) - len(a.prefix) })
	h.addRedirects(redirects)
	return h, nil
}

// addRedirects makes "/flask" lead to a location "/flask/" with pass, unless "/flask" is a location itself (nginx: location).
func (h *host) addRedirects(redirects map[string]*Location) {
	for path, loc := range redirects {
		own := slices.ContainsFunc(h.prefixes, func(l *Location) bool { return l.prefix == path })
		if h.exact[path] == nil && !own {
			h.exact[path] = loc
		}
	}
}

func newLocation(srv *config.Server, cfg *config.Location, build Build) (*Location, error) {
	handler, err := build(srv, cfg)
	if err != nil {
		return nil, err
	}
	loc := &Location{HTTP: cfg.HTTP, Handler: handler, prefix: cfg.Path.Path, script: cfg.ScriptName, root: cfg.Root}
	for name, value := range cfg.UWSGIParam {
		loc.params = append(loc.params, exchange.Field{Name: []byte(name), Value: []byte(value)})
	}
	slices.SortFunc(loc.params, func(a, b exchange.Field) int { return bytes.Compare(a.Name, b.Name) })
	return loc, nil
}

// site returns what is served at an address.
func (r *Router) site(addr string) *site {
	if s := r.sites[addr]; s != nil {
		return s
	}
	return r.orphans
}

// Guard returns the guard of a listening socket.
func (r *Router) Guard(addr string) *Guard { return r.site(addr).guard }

// HTTP returns the settings of a listening socket before the host is known: those of its default server.
func (r *Router) HTTP(addr string) *config.HTTP { return r.site(addr).http }

func (r *Router) limitConnPerIP(addr string) int { return r.site(addr).http.LimitConnPerIP }

// Route finds the location of a request that arrived at a listening socket, and completes ex: ServerName, DocumentRoot, ScriptName, Params, and
// what a trusted proxy says about the client. hd is that of the guard.
//
// The location is never nil: with an error it has the limits that apply to the answer. A host that nobody serves is 421 (RFC 9110 section
// 15.5.20): the first server of the file is not a better guess.
func (r *Router) Route(addr string, ex *exchange.Exchange, hd *Head) (*Location, error) {
	s := r.site(addr)
	h := s.hosts[string(ex.Host)]
	if h == nil {
		h = s.fallback
	}
	if h == nil {
		return s.unknown, errMisdirected
	}
	h.trusted.Apply(ex, hd)
	ex.ServerName = h.name
	if hd.Asterisk {
		return s.server, nil
	}
	loc := h.location(ex.Path)
	if loc == nil {
		return h.nowhere, errNoLocation
	}
	ex.DocumentRoot, ex.ScriptName, ex.Params = loc.root, loc.script, loc.params
	return loc, nil
}

// Errors of Route. They are shared: nobody may change them.
var (
	errMisdirected = &exchange.StatusError{
		Code: http.StatusMisdirectedRequest, Err: errors.New("no server has this name, and the address has no default_server")}
	errNoLocation = &exchange.StatusError{Code: http.StatusNotFound, Err: errors.New("no location takes this path")}
)

// location returns the exact location of a path, else that of its longest prefix, else nil.
func (h *host) location(path []byte) *Location {
	if len(h.exact) > 0 {
		if loc := h.exact[string(path)]; loc != nil {
			return loc
		}
	}
	for _, loc := range h.prefixes {
		if loc.takes(path) {
			return loc
		}
	}
	return nil
}

// takes reports whether a path is the location's or lies below it. Unlike nginx's, a prefix ends where a segment
// ends: "/static" does not take "/statics", nor "/static../".
func (l *Location) takes(path []byte) bool {
	n := len(l.prefix)
	if len(path) < n || string(path[:n]) != l.prefix {
		return false
	}
	return len(path) == n || l.prefix[n-1] == '/' || path[n] == '/'
}

// redirectTo answers with a permanent redirect to a path of the configuration, the query kept. The Location is a path (RFC 9110 section
// 10.2.2), so that it is right behind any proxy, and cannot lead to another host.
func redirectTo(path string) exchange.Handler {
	path = encodePath(path)
	return func(ex *exchange.Exchange) error {
		RenderError(ex, &exchange.StatusError{Code: http.StatusMovedPermanently})
		if len(ex.Query) == 0 {
			ex.Response.Add("Location", path)
		} else {
			ex.Response.Add("Location", path+"?"+string(ex.Query))
		}
		return nil
	}
}

// encodePath percent-encodes what may not stand in a URI's path (RFC 3986 section 3.3).
func encodePath(path string) string {
	const hexDigits = "0123456789ABCDEF"
	var b []byte
	for i := range len(path) {
		c := path[i]
		if byteClass[c]&bytePlain != 0 || bytes.IndexByte([]byte("/._~!$&'()*+,;=:@"), c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
