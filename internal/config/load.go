package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds what Load and Parse read, in bytes.
const maxFile = 1 << 20

// topLevel is where the keys before the first table are.
const topLevel = "at the top level"

// Load reads and checks the configuration in a file. The error is a Findings if the file could be read.
// Nothing but that file is looked at: whether directories, users and certificates exist is seen by who uses them.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse is Load for a file already read. Errors call it by name, and relative paths in it begin at name's directory.
func Parse(name string, data []byte) (*Config, error) {
	file, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("cannot tell the directory of %q: %w", name, err)
	}
	l := &loader{name: name, file: file, dir: filepath.Dir(file)}
	if len(data) > maxFile {
		l.find(0, "the file is larger than %d bytes", maxFile)
		return nil, l.findings.err()
	}
	tree := map[string]any{}
	if _, err := toml.Decode(string(data), &tree); err != nil {
		l.syntax(err)
		return nil, l.findings.err()
	}
	c := l.document(tree, indexLines(string(data)))
	return l.finish(c)
}

// syntax reports that the document is not TOML.
func (l *loader) syntax(err error) {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		l.find(parse.Position.Line, "not valid TOML: %s", strings.TrimSuffix(parse.Message, "."))
		return
	}
	l.find(0, "not valid TOML: %v", err)
}

// finish resolves and checks what was decoded. A document whose keys are wrong is not checked
// further where that would only repeat or guess.
func (l *loader) finish(c *Config) (*Config, error) {
	l.resolve(c)
	l.check(c)
	if err := l.findings.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// document decodes a whole document over the defaults. [http] comes before the servers, which inherit from it.
func (l *loader) document(tree map[string]any, root *node) *Config {
	c := Default()
	t := l.open(topLevel, tree, root, 1, c)
	if e, ok := t.entries["app"]; ok {
		l.guard(c, "app", e.line, func() { c.Apps = l.apps(e) })
	}
	if e, ok := t.entries["server"]; ok {
		l.guard(c, "server", e.line, func() { c.Servers = l.servers(e, c) })
	}
	return c
}

func (l *loader) apps(e entry) map[string]*App {
	named, ok := e.value.(map[string]any)
	if !ok {
		l.find(e.line, "applications are written as tables with names: [app.blog]; found %s", describe(e.value))
		return nil
	}
	var apps map[string]*App
	for _, name := range slices.Sorted(maps.Keys(named)) {
		at := e.at.child(name)
		line := at.lineOr(e.line)
		v, ok := named[name].(map[string]any)
		if !ok {
			l.find(line, "%q in [app]: applications are written as tables with names: [app.blog]; found %s", name, describe(named[name]))
			continue
		}
		app := DefaultApp()
		app.Name = name
		l.app(app, v, at, line)
		if apps == nil {
			apps = map[string]*App{}
		}
		apps[name] = app
	}
	return apps
}

func (l *loader) app(app *App, v map[string]any, at *node, line int) {
	words := appWords{Master: true}
	where := "in " + app.where()
	l.open(where, v, at, line, app, &words)
	if !words.Master {
		l.find(l.line(&words, "master"), "master %s: there is always a master process; write master = true or remove the line", where)
	}
}

// where is the name of the app's table in messages.
func (a *App) where() string { return "[app." + bareOrQuoted(a.Name) + "]" }

func (l *loader) servers(e entry, c *Config) []*Server {
	var servers []*Server
	for _, item := range l.tables(e, "[[server]]") {
		s := DefaultServer()
		s.HTTP = c.HTTP
		t := l.open("in [[server]]", item.value.(map[string]any), item.at, item.line, s)
		if e, ok := t.entries["location"]; ok {
			l.guard(s, "location", e.line, func() { s.Locations = l.locations(e, s) })
		}
		servers = append(servers, s)
	}
	return servers
}

func (l *loader) locations(e entry, s *Server) []*Location {
	var locations []*Location
	for _, item := range l.tables(e, "[[server.location]]") {
		loc := &Location{Index: s.Index, HTTP: s.HTTP}
		l.location(loc, item)
		locations = append(locations, loc)
	}
	return locations
}

func (l *loader) location(loc *Location, item entry) {
	const where = "in [[server.location]]"
	var words locationWords
	l.open(where, item.value.(map[string]any), item.at, item.line, loc, &words)
	if base := filepath.Base(words.Include); words.Include != "" && base != "uwsgi_params" {
		l.find(l.line(&words, "include"), "include %s: %q: a configuration is one file; only \"uwsgi_params\", which is always in force, may be named here",
			where, words.Include)
	}
	line := l.line(&words, "uwsgi_pass")
	if words.UWSGIPass == "" {
		if l.failed(&words, "uwsgi_pass") {
			l.mark(loc, "!pass", line)
		}
		return
	}
	if l.sets(loc, "pass") {
		l.find(line, "pass and uwsgi_pass %s mean the same; keep one", where)
		return
	}
	l.mark(loc, "pass", line)
	l.guard(loc, "pass", line, func() {
		var err error
		if loc.Pass, err = parseUWSGIPass(words.UWSGIPass); err != nil {
			l.find(line, "uwsgi_pass %s: %v", where, err)
		}
	})
}

// tables returns the elements of an array of tables.
func (l *loader) tables(e entry, header string) []entry {
	var items []entry
	add := func(v any, i int) {
		items = append(items, entry{value: v, at: e.at.item(i), line: e.at.item(i).lineOr(e.line)})
	}
	switch v := e.value.(type) {
	case []map[string]any:
		for i := range v {
			add(v[i], i)
		}
	case []any:
		for i := range v {
			if _, ok := v[i].(map[string]any); !ok {
				l.find(e.at.item(i).lineOr(e.line), "expected a table, written %s; found %s", header, describe(v[i]))
				continue
			}
			add(v[i], i)
		}
	case map[string]any:
		l.find(e.line, "write %s, with two brackets: there can be several%s", header, missingServer(v))
	default:
		l.find(e.line, "expected a table, written %s; found %s", header, describe(v))
	}
	return items
}

// missingServer explains a [[server.location]] without a [[server]] above it.
func missingServer(v map[string]any) string {
	if _, ok := v["location"]; ok && len(v) == 1 {
		return ", and each [[server.location]] belongs to the [[server]] above it"
	}
	return ""
}
