package config

import (
	"fmt"
	"slices"
)

// socketUse is one mention of a listening socket.
type socketUse struct {
	listen *Listen
	server *Server // nil for an application's own socket
	owner  any     // for lines
	key    string  // for lines
	where  string
}

// uses returns all mentions of listening sockets, grouped by socket, in the order of the file. A server
// that mentions a socket twice is reported, and counted once.
func (l *loader) uses(c *Config) [][]socketUse {
	var groups [][]socketUse
	add := func(u socketUse) {
		i := slices.IndexFunc(groups, func(g []socketUse) bool { return g[0].listen.sameSocket(*u.listen) })
		switch {
		case i < 0:
			groups = append(groups, []socketUse{u})
		case slices.ContainsFunc(groups[i], func(other socketUse) bool { return other.owner == u.owner }):
			l.findUse(u, "the server listens there already")
		default:
			groups[i] = append(groups[i], u)
		}
	}
	for _, s := range c.Servers {
		for i := range s.Listen {
			add(socketUse{&s.Listen[i], s, s, indexed("listen", i), "in [[server]]"})
		}
	}
	for _, name := range sortedKeys(c.Apps) {
		a := c.Apps[name]
		if listen := a.Socket.Listen(); listen.Network != "" {
			add(socketUse{&listen, nil, a, "socket", "in " + a.where()})
		}
	}
	return groups
}

// resolveListen gives all mentions of a socket the same options, and each socket its default server.
func (l *loader) resolveListen(c *Config) {
	groups := l.uses(c)
	for _, group := range groups {
		l.agree(group)
		l.defaultServer(group)
		l.uniqueNames(group)
	}
	for i, a := range groups {
		for _, b := range groups[i+1:] {
			l.exclude(a[0], b[0])
			l.exclude(b[0], a[0])
		}
	}
}

func (l *loader) findUse(u socketUse, format string, args ...any) {
	l.find(l.line(u.owner, u.key), "%s %s: %s: %s", keyOfUse(u), u.where, u.listen.Addr(), fmt.Sprintf(format, args...))
}

func keyOfUse(u socketUse) string {
	if u.server == nil {
		return "socket"
	}
	return "listen"
}

// agree checks that the mentions of one socket do not contradict each other, and gives all of them what one says.
// As in nginx, options of the socket itself need to be said once only.
func (l *loader) agree(group []socketUse) {
	first := group[0]
	backlog, reuseport := 0, false
	for i, u := range group {
		switch {
		case i > 0 && (u.server == nil || first.server == nil):
			l.findUse(u, "another part of this file listens there; an application's socket is its own")
		case u.listen.SSL != first.listen.SSL:
			l.findUse(u, "another server has this address with%s ssl; write the same in both", without(first.listen.SSL))
		case u.listen.UWSGI != first.listen.UWSGI:
			l.findUse(u, "another server has this address with%s uwsgi; write the same in both", without(first.listen.UWSGI))
		case u.listen.Backlog != 0 && backlog != 0 && u.listen.Backlog != backlog:
			l.findUse(u, "another server has this address with backlog=%d; one of them is enough", backlog)
		}
		backlog = max(backlog, u.listen.Backlog)
		reuseport = reuseport || u.listen.ReusePort
	}
	if backlog == 0 {
		backlog = DefaultBacklog
	}
	for _, u := range group {
		u.listen.Backlog, u.listen.ReusePort = backlog, reuseport
	}
}

func without(has bool) string {
	if has {
		return ""
	}
	return "out"
}

// defaultServer finds the server that answers for unknown names on a socket: the one marked default_server, else the one
// without a name. Otherwise there is none: such requests are refused rather than given to whoever comes first in the file.
func (l *loader) defaultServer(group []socketUse) {
	var marked, nameless []socketUse
	for _, u := range group {
		if u.server == nil {
			return
		}
		if u.listen.DefaultServer {
			marked = append(marked, u)
		} else if u.server.nameless() {
			nameless = append(nameless, u)
		}
	}
	for _, u := range marked[min(1, len(marked)):] {
		l.findUse(u, "there is another default_server on this address (line %d)", l.line(marked[0].owner, marked[0].key))
	}
	if len(marked) == 0 && len(nameless) > 0 {
		nameless[0].listen.DefaultServer = true
		marked, nameless = nameless[:1], nameless[1:]
	}
	for _, u := range nameless {
		if slices.Contains(u.server.ServerName, "") {
			continue // requests without a Host field
		}
		l.findUse(u, "this server has no server_name and another one is the default there (line %d), so that no request can reach it",
			l.line(marked[0].owner, marked[0].key))
	}
}

// nameless reports whether a server has no name that a request could have.
func (s *Server) nameless() bool {
	for _, name := range s.ServerName {
		if name != "_" && name != "" {
			return false
		}
	}
	return true
}

// uniqueNames reports names that two servers on one socket have.
func (l *loader) uniqueNames(group []socketUse) {
	type place struct {
		server *Server
		line   int
	}
	seen := map[string]place{}
	for _, u := range group {
		if u.server == nil {
			return
		}
		for i, name := range u.server.ServerName {
			line := l.line(u.server, indexed("server_name", i))
			before, dup := seen[name]
			switch {
			case name == "_":
			case !dup:
				seen[name] = place{u.server, line}
			case before.server != u.server: // repetitions within one server are found with its names
				l.find(line, "server_name in [[server]]: another server on %s has the name %q (line %d)", u.listen.Addr(), name, before.line)
			}
		}
	}
}

// exclude reports two sockets that the kernel does not let listen at the same time.
func (l *loader) exclude(wide, narrow socketUse) {
	if !wide.listen.covers(*narrow.listen) || wide.listen.ReusePort && narrow.listen.ReusePort {
		return
	}
	l.findUse(narrow, "%s (line %d) takes all addresses of this port already; listen there once, or on single addresses",
		wide.listen.Addr(), l.line(wide.owner, wide.key))
}
