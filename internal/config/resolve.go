package config

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// resolve makes paths absolute and fills in what follows from other keys.
func (l *loader) resolve(c *Config) {
	c.PID = l.path(c, "pid", topLevel, c.PID)
	c.TempPath = l.path(c, "temp_path", topLevel, c.TempPath)
	c.Log.Error = l.logTarget(&c.Log, "error", c.Log.Error, LogStderr)
	c.Log.Access = l.logTarget(&c.Log, "access", c.Log.Access, LogOff, LogStdout)
	for _, name := range sortedKeys(c.Apps) {
		l.resolveApp(c.Apps[name])
	}
	for _, s := range c.Servers {
		l.resolveServer(c, s)
	}
	l.resolveListen(c)
}

// path returns the absolute form of a path; "" stays "".
func (l *loader) path(owner any, key, where, p string) string {
	if p == "" {
		return ""
	}
	if strings.HasPrefix(p, "~") {
		l.find(l.line(owner, key), "%s %s: %q: \"~\" is not expanded; write the whole path", key, where, shorten(p))
		return p
	}
	abs := l.abs(p)
	if hasControl(abs) || !utf8.ValidString(abs) {
		l.find(l.line(owner, key), "%s %s: path %q has control characters or is not UTF-8", key, where, shorten(abs))
	}
	return abs
}

func (l *loader) abs(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(l.dir, p)
}

// logTarget resolves a log file that is not one of the given words.
func (l *loader) logTarget(owner any, key, target string, words ...string) string {
	if slices.Contains(words, target) {
		return target
	}
	if !strings.ContainsAny(target, "/.") || strings.HasPrefix(target, "syslog:") {
		l.find(l.line(owner, key), "%s in [log]: %q is not %s or a path such as \"/var/log/hognose/%s.log\"",
			key, shorten(target), quotedList(words), key)
		return target
	}
	return l.path(owner, key, "in [log]", target)
}

func (l *loader) resolveApp(a *App) {
	where := "in " + a.where()
	if module, callable, ok := strings.Cut(a.Module, ":"); ok {
		if l.sets(a, "callable") && a.Callable != callable {
			l.find(l.line(a, "callable"), "callable %s: %q, but module says %q; keep one", where, a.Callable, callable)
		}
		a.Module, a.Callable = module, callable
	}
	a.WSGIFile = l.path(a, "wsgi_file", where, a.WSGIFile)
	if a.Chdir == "" {
		a.Chdir = "."
	}
	a.Chdir = l.path(a, "chdir", where, a.Chdir)
	a.Home = l.path(a, "home", where, a.Home)
	for i, p := range a.PythonPath {
		a.PythonPath[i] = l.path(a, indexed("pythonpath", i), where, p)
	}
	switch {
	case a.Python == "" && a.Home != "":
		a.Python = filepath.Join(a.Home, "bin", "python")
	case a.Python == "":
		a.Python = "python3"
	case strings.Contains(a.Python, "/"):
		a.Python = l.path(a, "python", where, a.Python)
	}
	if a.Socket.Network == "unix" {
		a.Socket.Address = l.unixPath(a, "socket", where, a.Socket.Address)
	}
}

// unixPath is path for a socket, whose path must still fit when it is absolute.
func (l *loader) unixPath(owner any, key, where, p string) string {
	abs := l.abs(p)
	if _, err := parseUnix(abs); err != nil {
		l.find(l.line(owner, key), "%s %s: %v", key, where, err)
	}
	return abs
}

func (l *loader) resolveServer(c *Config, s *Server) {
	const where = "in [[server]]"
	s.Root = l.path(s, "root", where, s.Root)
	s.Certificate.Cert = l.path(&s.Certificate, "cert", "in certificate "+where, s.Certificate.Cert)
	s.Certificate.Key = l.path(&s.Certificate, "key", "in certificate "+where, s.Certificate.Key)
	for i, name := range s.ServerName {
		s.ServerName[i] = strings.TrimSuffix(strings.ToLower(name), ".")
	}
	for i := range s.Listen {
		if s.Listen[i].Network == "unix" {
			s.Listen[i].Address = l.unixPath(s, indexed("listen", i), where, s.Listen[i].Address)
		}
	}
	for _, loc := range s.Locations {
		l.resolveLocation(c, s, loc)
	}
	l.serveRoot(s)
}

// serveRoot adds a location for what no other takes: nginx then serves the server's root.
func (l *loader) serveRoot(s *Server) {
	everything := LocationPath{Path: "/"}
	if s.Root == "" || slices.ContainsFunc(s.Locations, func(loc *Location) bool { return loc.Path == everything }) {
		return
	}
	loc := &Location{Path: everything, Root: s.Root, Index: s.Index, HTTP: s.HTTP}
	l.mark(loc, "", l.line(s, "root"))
	s.Locations = append(s.Locations, loc)
}

func (l *loader) resolveLocation(c *Config, s *Server, loc *Location) {
	const where = "in [[server.location]]"
	if alias := l.path(loc, "alias", where, loc.Alias); strings.HasSuffix(loc.Alias, "/") && alias != "/" {
		loc.Alias = alias + "/"
	} else {
		loc.Alias = alias
	}
	loc.Root = l.path(loc, "root", where, loc.Root)
	if loc.Root == "" && loc.Alias == "" && loc.Pass.Kind == "" && !l.failed(loc, "pass") {
		loc.Root = s.Root
	}
	if loc.Pass.Network == "unix" {
		loc.Pass.Target = l.unixPath(loc, "pass", where, loc.Pass.Target)
	}
	for _, name := range sortedKeys(c.Apps) {
		if loc.Pass.reaches(c.Apps[name].Socket.Listen()) {
			loc.Pass = Pass{Kind: PassApp, Target: name}
			return
		}
	}
}
