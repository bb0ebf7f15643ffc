package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	if _, err := Load(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of no file: %v", err)
	}
	write := func(data string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[app.a]\nmodule = 'a'\nhome = 'venv'\nsocket = ':3031'\n")
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(file), "venv"); c.Apps["a"].Home != want {
		t.Errorf("home = %q; want %q", c.Apps["a"].Home, want)
	}
	write("usr = 'a'\nlog.level = 'x'\n")
	_, err = Load(file)
	var findings Findings
	if !errors.As(err, &findings) || len(findings) != 3 || findings[0].File != file || findings[0].Line != 1 {
		t.Errorf("findings = %#v", findings)
	}
	var finding Finding
	if !errors.As(err, &finding) || finding != findings[0] {
		t.Errorf("the findings are not among the errors of %v", err)
	}
	write(strings.Repeat("#", maxFile+1))
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("Load of a huge file: %v", err)
	}
	if _, err := Load(filepath.Dir(file)); err == nil {
		t.Error("Load read a directory")
	}
}

const site = `
[app.a]
module = "a"
[http]
send_timeout = "1s"
keepalive_timeout = "2s"
set_real_ip_from = ["10.0.0.0/8"]
[[server]]
listen = "127.0.0.1:80"
root = "/srv/www"
keepalive_timeout = "3s"
client_max_body_size = "2m"
[[server.location]]
path = "/a"
pass = "app:a"
client_max_body_size = "4m"
[[server.location]]
path = "/files/"
index = "a.html"
[[server]]
listen = "127.0.0.1:81"
set_real_ip_from = []
[[server.location]]
path = "/"
pass = "app:a"
`

func TestInheritance(t *testing.T) {
	c := mustParse(t, "/etc/c.toml", site)
	first, second := c.Servers[0], c.Servers[1]
	a := first.Locations[0].HTTP
	if a.SendTimeout.Std() != time.Second || a.KeepaliveTimeout.Std() != 3*time.Second || a.ClientMaxBodySize != 4*MB || a.MaxHeaders != 100 {
		t.Errorf("location has %+v", a)
	}
	if first.HTTP.ClientMaxBodySize != 2*MB || second.HTTP.ClientMaxBodySize != 1*MB || c.HTTP.KeepaliveTimeout.Std() != 2*time.Second {
		t.Errorf("servers have %+v and %+v", first.HTTP, second.HTTP)
	}
	if len(first.HTTP.SetRealIPFrom.Prefixes) != 1 || len(second.HTTP.SetRealIPFrom.Prefixes) != 0 {
		t.Errorf("a list set again must replace the inherited one: %v, %v", first.HTTP.SetRealIPFrom, second.HTTP.SetRealIPFrom)
	}
}

func TestServerRoot(t *testing.T) {
	locations := mustParse(t, "/etc/c.toml", site).Servers[0].Locations
	if len(locations) != 3 {
		t.Fatalf("%d locations; want one more, for the root", len(locations))
	}
	if files := locations[1]; files.Root != "/srv/www" || files.Index[0] != "a.html" {
		t.Errorf("a location without action has %+v; want the server's root", files)
	}
	if rest := locations[2]; rest.Path.String() != "/" || rest.Root != "/srv/www" || rest.HTTP.KeepaliveTimeout.Std() != 3*time.Second {
		t.Errorf("the added location is %+v", rest)
	}
	if locations[0].Root != "" {
		t.Error("a location that passes on has a root")
	}
}

// Which server is the default of an address.
func TestDefaultServer(t *testing.T) {
	f := func(first, second string, want ...bool) {
		t.Helper()
		doc := "[app.a]\nmodule='a'\n"
		for _, s := range []string{first, second} {
			doc += "[[server]]\n" + s + "\n[[server.location]]\npath='/'\npass='app:a'\n"
		}
		c := mustParse(t, "/etc/c.toml", doc)
		for i, s := range c.Servers {
			if got := s.Listen[0].DefaultServer; got != want[i] {
				t.Errorf("default_server of %q is %t; want %t", s.ServerName, got, want[i])
			}
		}
	}
	f("listen=80\nserver_name='a'", "listen=80\nserver_name='b'", false, false)
	f("listen=80\nserver_name='a'", "listen='80 default_server'\nserver_name='b'", false, true)
	f("listen=80\nserver_name='a'", "listen=80", false, true)
	f("listen=80\nserver_name='_'", "listen=80\nserver_name='b'", true, false)
	f("listen=80", "listen=81", true, true)
	f("listen=80\nserver_name=''", "listen='80 default_server'\nserver_name='b'", false, true)
}

// Options of a socket are said once, and hold for all who mention it.
func TestSharedListen(t *testing.T) {
	doc := "[app.a]\nmodule='a'\n"
	for _, s := range []string{"listen='80 backlog=9'\nserver_name='a'", "listen='*:80 reuseport'\nserver_name='b'"} {
		doc += "[[server]]\n" + s + "\n[[server.location]]\npath='/'\npass='app:a'\n"
	}
	for _, s := range mustParse(t, "/etc/c.toml", doc).Servers {
		if l := s.Listen[0]; l.Backlog != 9 || !l.ReusePort || l.Address != "0.0.0.0:80" {
			t.Errorf("listen = %v", l)
		}
	}
}

// An application that others reach by its socket needs no server.
func TestSocketOnly(t *testing.T) {
	c := mustParse(t, "/etc/c.toml", "[app.a]\nmodule='a:b'\nsocket='a.sock'\n")
	if l := c.Apps["a"].Socket.Listen(); l.Network != "unix" || l.Address != "/etc/a.sock" || !l.UWSGI || l.Backlog != DefaultBacklog {
		t.Errorf("socket = %+v", l)
	}
	if a := c.Apps["a"]; a.Chdir != "/etc" || a.Python != "python3" || a.Umask != nil {
		t.Errorf("app = %+v", a)
	}
}

func TestCheckMode(t *testing.T) {
	f := func(mode fs.FileMode, euid int, ok bool) {
		t.Helper()
		if err := checkMode("c.toml", mode, euid); (err == nil) != ok {
			t.Errorf("checkMode(%o, %d) = %v", mode, euid, err)
		}
	}
	f(0o644, 0, true)
	f(0o600, 0, true)
	f(0o664, 0, false)
	f(0o646, 0, false)
	f(0o777, 1000, true)
}

func TestCheckPermissions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := CheckPermissions(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckPermissions(file); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := CheckPermissions(file); (err != nil) != (os.Geteuid() == 0) {
		t.Errorf("a file that all may write: %v", err)
	}
}
