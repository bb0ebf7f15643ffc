package config

import (
	"path"
	"slices"
	"strings"
)

const inLocation = "in [[server.location]]"

func (l *loader) checkLocation(c *Config, loc *Location) {
	if loc.Path.Path == "" {
		if !l.failed(loc, "path") {
			l.find(l.line(loc), "[[server.location]] has no path; write path = \"/\"")
		}
		return
	}
	l.checkAction(loc)
	l.checkPass(c, loc)
	l.checkScriptName(loc)
	l.checkParams(loc)
	l.checkIndex(loc, inLocation, loc.Index)
	l.checkHTTP(loc, inLocation, &loc.HTTP)
	if loc.Alias != "" {
		l.checkSlash(loc)
		l.checkRoot(loc, "alias", inLocation, loc.Alias)
		l.checkExposed(c, loc, "alias", loc.Alias)
	}
	if loc.Root != "" {
		if l.sets(loc, "root") { // or else it is the server's, and checked there
			l.checkRoot(loc, "root", inLocation, loc.Root)
		}
		l.checkExposed(c, loc, "root", path.Join(loc.Root, loc.Path.Path))
	}
}

// checkAction reports a location that does two things, or nothing.
func (l *loader) checkAction(loc *Location) {
	passes := loc.Pass.Kind != "" || l.failed(loc, "pass")
	failed := l.failed(loc, "alias") || l.failed(loc, "root")
	switch {
	case loc.Alias != "" && loc.Root != "":
		l.find(l.line(loc, "root", "alias"), "alias and root %s %q exclude each other: alias replaces the path's prefix, root goes before the whole path", inLocation, loc.Path)
	case passes && (loc.Alias != "" || loc.Root != ""):
		l.find(l.line(loc, "pass"), "%s %q both passes requests on and serves files; write two locations", "[[server.location]]", loc.Path)
	case !passes && loc.Alias == "" && loc.Root == "" && !failed:
		l.find(l.line(loc), "[[server.location]] %q has nothing to do; write pass, alias or root", loc.Path)
	}
}

func (l *loader) checkPass(c *Config, loc *Location) {
	if loc.Pass.Kind != PassApp {
		return
	}
	if _, ok := c.Apps[loc.Pass.Target]; ok {
		return
	}
	names := sortedKeys(c.Apps)
	otherwise := "; there are no applications"
	if len(names) > 0 {
		otherwise = "; known are " + quotedList(names)
	}
	l.find(l.line(loc, "pass"), "pass %s: there is no [app.%s]%s", inLocation, bareOrQuoted(loc.Pass.Target), didYouMean(loc.Pass.Target, names, otherwise))
}

// checkScriptName: SCRIPT_NAME is the part of the path that an application is mounted at (PEP 3333, RFC 3875 section 4.1.13).
func (l *loader) checkScriptName(loc *Location) {
	name := loc.ScriptName
	if name == "" {
		return
	}
	line := l.line(loc, "script_name")
	const where = "script_name " + inLocation
	switch {
	case loc.Pass.Kind == "" && !l.failed(loc, "pass"):
		l.find(line, "%s %q: only a location with pass mounts an application", where, loc.Path)
	case !strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/"):
		l.find(line, "%s: %q must start with \"/\" and not end with it, as in \"/flask\"; leave it out for an application at \"/\"", where, shorten(name))
	case checkURLPath(name) != nil:
		l.find(line, "%s: %v", where, checkURLPath(name))
	case loc.Path.Path != name && !strings.HasPrefix(loc.Path.Path, name+"/"):
		l.find(line, "%s: the location's path %q is not below %q; a request there has no such prefix to take off", where, loc.Path, name)
	}
}

// checkSlash reports the off-by-slash mistake.
func (l *loader) checkSlash(loc *Location) {
	inPath, inAlias := strings.HasSuffix(loc.Path.Path, "/"), strings.HasSuffix(loc.Alias, "/")
	if inPath == inAlias {
		return
	}
	has, lacks := "path", "alias"
	if inAlias {
		has, lacks = lacks, has
	}
	l.find(l.line(loc, "alias"), "alias %s: %s ends with \"/\" and %s does not (%q, %q): alias takes the place of path letter by letter, "+
		"so that files beside the directory could be reached; end both with \"/\" or neither", inLocation, has, lacks, loc.Path, loc.Alias)
}

// checkRoot refuses directories that are never a web site.
func (l *loader) checkRoot(owner any, key, where, dir string) {
	clean := path.Clean(dir)
	for _, bad := range []string{"/proc", "/sys", "/dev"} {
		if contains(bad, clean) {
			l.find(l.line(owner, key), "%s %s: %q is below %q; files of the system are not served", key, where, dir, bad)
		}
	}
	if clean == "/" {
		l.find(l.line(owner, key), "%s %s: \"/\" would serve every file of the machine", key, where)
	}
}

// contains reports whether the path is the directory or below it. Both are clean.
func contains(dir, p string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// checkExposed refuses to serve a directory with secrets in it: keys, code, this file. dir is what the location makes readable.
func (l *loader) checkExposed(c *Config, loc *Location, key, dir string) {
	dir = path.Clean(dir)
	if dir == "/" {
		return // reported by checkRoot
	}
	for _, secret := range c.secrets(l.file) {
		if contains(dir, secret.path) {
			l.find(l.line(loc, key), "%s %s: everybody could read %s in %q, which is below %q; serve a directory with nothing else in it",
				key, inLocation, secret.what, secret.path, dir)
			return
		}
	}
}

// secret is a path that is not for clients.
type secret struct{ what, path string }

// secrets returns what must not be served, without the paths that are not set.
func (c *Config) secrets(file string) []secret {
	list := []secret{{"this configuration", file}}
	for _, s := range c.Servers {
		list = append(list, secret{"the key of a certificate", s.Certificate.Key})
	}
	for _, name := range sortedKeys(c.Apps) {
		a := c.Apps[name]
		code := "the code of app \"" + name + "\""
		list = append(list, secret{code, a.Chdir}, secret{code, a.WSGIFile}, secret{"the virtualenv of app \"" + name + "\"", a.Home})
	}
	return slices.DeleteFunc(list, func(s secret) bool { return s.path == "" })
}
