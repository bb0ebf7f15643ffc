package config

import (
	"fmt"
	"os"
	"strings"
)

// DefaultBind is where FromArgs listens when it is not told: Gunicorn's default.
const DefaultBind = "127.0.0.1:8000"

// Args are the arguments of "hognose run module:callable", named and meant as Gunicorn's. Empty and zero ones take the defaults.
type Args struct {
	Module    string   // module:callable; the callable is "application" when it is missing
	Bind      []string // "host:port", ":port" or "unix:/path"
	Processes int
	Threads   int
	Chdir     string   // the current directory
	Home      string   // virtualenv; without it the python3 of PATH is taken, which is the active virtualenv's
	Env       []string // NAME=VALUE
	Static    []string // /prefix=directory
}

// FromArgs builds the configuration that serves one application without a file. Its error is a Findings.
func FromArgs(args Args) (*Config, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("cannot tell the current directory: %w", err)
	}
	l := &loader{name: "command line", dir: dir}
	c := Default()
	app := l.argsApp(args)
	c.Apps = map[string]*App{app.Name: app}
	c.Servers = []*Server{l.argsServer(args, c, app)}
	return l.finish(c)
}

func (l *loader) argsApp(args Args) *App {
	app := DefaultApp()
	app.Name = appName(args.Module)
	app.Module, app.Chdir, app.Home = args.Module, args.Chdir, args.Home
	if args.Processes != 0 {
		app.Processes = args.Processes
		l.mark(app, "processes", noLine)
	}
	if args.Threads != 0 {
		app.Threads = args.Threads
		l.mark(app, "threads", noLine)
	}
	app.PassEnvironment = []string{"*"} // the caller's shell is the configuration
	for _, pair := range args.Env {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			l.find(0, "--env: %q is not NAME=VALUE", shorten(pair))
			continue
		}
		if app.Env == nil {
			app.Env = map[string]string{}
		}
		app.Env[name] = value
	}
	return app
}

// appName makes the name of an application from that of its package.
func appName(module string) string {
	name, _, _ := strings.Cut(module, ":")
	name, _, _ = strings.Cut(name, ".")
	if !isAppName(name) {
		return "app"
	}
	return name
}

func (l *loader) argsServer(args Args, c *Config, app *App) *Server {
	s := DefaultServer()
	s.HTTP = c.HTTP
	binds := args.Bind
	if len(binds) == 0 {
		binds = []string{DefaultBind}
	}
	for _, bind := range binds {
		listen, err := parseAddress(bind)
		if err != nil {
			l.find(0, "--bind: %v", err)
			l.mark(s, "!listen", noLine)
			continue
		}
		s.Listen = append(s.Listen, listen)
	}
	for _, static := range args.Static {
		if loc := l.argsStatic(static); loc != nil {
			loc.Index, loc.HTTP = s.Index, s.HTTP
			s.Locations = append(s.Locations, loc)
		}
	}
	everything := &Location{Path: LocationPath{Path: "/"}, Pass: Pass{Kind: PassApp, Target: app.Name}, Index: s.Index, HTTP: s.HTTP}
	s.Locations = append(s.Locations, everything)
	return s
}

// argsStatic reads /prefix=directory. A slash at the end of either changes nothing.
func (l *loader) argsStatic(arg string) *Location {
	prefix, dir, ok := strings.Cut(arg, "=")
	path, err := ParseLocationPath(strings.TrimSuffix(prefix, "/") + "/")
	switch {
	case !ok || dir == "" || prefix == "":
		l.find(0, "--static: %q is not /prefix=directory", shorten(arg))
	case err != nil:
		l.find(0, "--static: %v", err)
	case path.Path == "/":
		l.find(0, "--static: %q would take all requests from the application; write a prefix such as /static", shorten(arg))
	default:
		return &Location{Path: path, Alias: strings.TrimRight(dir, "/") + "/"}
	}
	return nil
}
