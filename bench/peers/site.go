package peers

import (
	"bytes"
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed nginx.conf uwsgi.ini gunicorn.conf.py granian.args hognose.toml
var templates embed.FS

// Site is what a peer has to serve, and with how much. It is read only.
type Site struct {
	Dir        string // scratch directory of this peer; must exist, be short (Unix sockets live there) and be its alone
	App        string // module:callable, or empty for static files only
	AppsDir    string // where the module is
	Venv       string // virtual environment of application and app servers
	Workers    int    // application processes, of one thread each
	Cores      int    // processes (nginx) or threads (hognose) of the front
	Backlog    int    // of every listening socket
	StaticDir  string // served under /static/, empty for none
	Cert, Key  string // PEM files (key as PKCS #8); TLS when set
	AccessLog  bool   // one access log, written by whoever faces the client
	HognoseBin string
}

// settings is what the templates see: the site, and what is decided at start.
type settings struct {
	Site
	Listen   string // host:port that clients connect to
	Socket   string // Unix socket of the app server behind nginx; empty when it faces clients
	Protocol string // of Socket: "uwsgi" or "http"
	Cache    bool   // nginx keeps open files
	Root     bool   // started as root
}

// newSettings takes a free port. Another program may take it before the peer
// does; the peer then says so in its log and Start fails.
func newSettings(site Site) (settings, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return settings{}, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer listener.Close()
	return settings{Site: site, Listen: listener.Addr().String(), Root: os.Geteuid() == 0}, nil
}

// Port is the port of Listen.
func (c settings) Port() string {
	_, port, _ := net.SplitHostPort(c.Listen)
	return port
}

// url is the address of the site for clients.
func (c settings) url() string {
	if c.Cert != "" {
		return "https://" + c.Listen
	}
	return "http://" + c.Listen
}

// render fills the template of that name.
func (c settings) render(name string) ([]byte, error) {
	tmpl, err := template.New(name).Option("missingkey=error").ParseFS(templates, name)
	if err != nil {
		return nil, fmt.Errorf("template %q: %w", name, err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, c); err != nil {
		return nil, fmt.Errorf("template %q: %w", name, err)
	}
	return out.Bytes(), nil
}

// write renders a template into the site's directory and returns the path.
func (c settings) write(name string) (string, error) {
	text, err := c.render(name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return "", fmt.Errorf("cannot write configuration: %w", err)
	}
	return path, nil
}
