package config

import (
	"net/netip"
	"slices"
	"strings"
)

func (l *loader) checkServer(c *Config, s *Server) {
	const where = "in [[server]]"
	if len(s.Listen) == 0 && !l.failed(s, "listen") {
		l.find(l.line(s), "[[server]] does not say where to listen; write listen = \"127.0.0.1:8080\"")
	}
	l.checkCertificate(s)
	for i, name := range s.ServerName {
		l.checkName(s, i, name)
	}
	l.checkIndex(s, where, s.Index)
	l.checkHTTP(s, where, &s.HTTP)
	if len(s.Locations) == 0 && !l.failed(s, "location") && !l.failed(s, "root") {
		l.find(l.line(s), "[[server]] has nothing to do; write a [[server.location]] with path and pass below it, or a root")
	}
	if s.Root != "" {
		l.checkRoot(s, "root", where, s.Root)
	}
	for i, loc := range s.Locations {
		l.checkLocation(c, loc)
		for _, earlier := range s.Locations[:i] {
			if loc.Path == earlier.Path && loc.Path.Path != "" {
				l.find(l.line(loc, "path"), "path in [[server.location]]: this server has the location %q already (line %d)", loc.Path, l.line(earlier, "path"))
				break
			}
		}
	}
}

func (l *loader) checkCertificate(s *Server) {
	cert := &s.Certificate
	if (cert.Cert == "") != (cert.Key == "") && !l.failed(s, "certificate") {
		l.find(l.line(s, "certificate"), "certificate in [[server]] needs both cert and key, the paths of two PEM files")
	}
	ssl := slices.IndexFunc(s.Listen, func(listen Listen) bool { return listen.SSL })
	switch {
	case ssl >= 0 && *cert == Certificate{} && !l.failed(s, "certificate"):
		l.find(l.line(s, indexed("listen", ssl)), "listen in [[server]]: %s has ssl, but there is no certificate; "+
			"write certificate = { cert = \"/path/to/chain.pem\", key = \"/path/to/key.pem\" }", s.Listen[ssl].Addr())
	case ssl < 0 && *cert != Certificate{} && len(s.Listen) > 0:
		l.find(l.line(s, "certificate"), "certificate in [[server]] is not used; write ssl behind an address: listen = %s", quote(s.Listen[0].Addr()+" ssl"))
	}
}

// checkName checks one server_name. It is compared with the host of a request, without the port.
func (l *loader) checkName(s *Server, i int, name string) {
	const where = "server_name in [[server]]"
	line := l.line(s, indexed("server_name", i))
	switch {
	case slices.Contains(s.ServerName[:i], name):
		l.find(line, "%s: %q comes twice", where, name)
	case name == "" || name == "_":
	case strings.HasPrefix(name, "~"):
		l.find(line, "%s: %q is a regular expression; this version compares whole names only, list them", where, shorten(name))
	case strings.Contains(name, "*") || strings.HasPrefix(name, "."):
		l.find(line, "%s: %q is a wildcard; this version compares whole names only, list them, or mark the server default_server in listen", where, shorten(name))
	case strings.ContainsAny(name, " \t,;"):
		l.find(line, "%s: %q looks like several names; write a list: server_name = [\"example.com\", \"www.example.com\"]", where, shorten(name))
	case !isASCII(name):
		l.find(line, "%s: %q is not ASCII; write international names in their xn-- form", where, shorten(name))
	case !isHost(name) && !isBracketedIPv6(name):
		l.find(line, "%s: %q is not a host name or IP address without port", where, shorten(name))
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e })
}

func isBracketedIPv6(s string) bool {
	inner, ok := strings.CutPrefix(s, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	return ok && ok2 && err == nil && addr.Is6()
}

// checkIndex checks the names of index files.
func (l *loader) checkIndex(owner any, where string, index []string) {
	if !l.sets(owner, "index") {
		return
	}
	for i, name := range index {
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") || hasControl(name) {
			l.find(l.line(owner, indexed("index", i)), "index %s: %q is not the name of a file, such as \"index.html\"", where, shorten(name))
		}
	}
}
