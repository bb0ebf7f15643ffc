package master

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hognose/internal/config"
)

func parse(t *testing.T, toml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "hognose.toml"), []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const planConfig = `
[app.blog]
module = "blog:app"
chdir = "/srv/blog"
env = { PASSWORD = "secret" }
socket = "/run/blog.sock"
chmod_socket = "600"
chown_socket = "root"
vacuum = false
[[server]]
listen = ["127.0.0.1:80 backlog=7", "unix:/run/http.sock"]
server_name = "a"
[[server.location]]
path = "/"
pass = "app:blog"
[[server]]
listen = "127.0.0.1:80"
server_name = "b"
root = "/srv/b"
`

// TestFrontConfig: the front gets the configuration without the environments of applications.
func TestFrontConfig(t *testing.T) {
	cfg := parse(t, planConfig)
	data, err := frontConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got config.Config
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "secret") || len(got.Servers) != 2 || got.Apps["blog"].Module != "blog" {
		t.Errorf("the front gets %s", data)
	}
	if cfg.Apps["blog"].Env["PASSWORD"] != "secret" {
		t.Error("the configuration itself has been changed")
	}
}

func TestListenSpecs(t *testing.T) {
	specs, err := listenSpecs(parse(t, planConfig))
	if err != nil {
		t.Fatal(err)
	}
	if len(specs) != 3 {
		t.Fatalf("specs are %+v; want 3", specs)
	}
	if s := specs[0]; s.Key != "127.0.0.1:80" || s.Network != "tcp4" || s.Backlog != 7 {
		t.Errorf("the first is %+v", s)
	}
	if s := specs[1]; s.Key != "unix:/run/http.sock" || s.Mode != 0o666 || s.UID != -1 || !s.Vacuum || s.Backlog != config.DefaultBacklog {
		t.Errorf("the second is %+v", s)
	}
	if s := specs[2]; s.Address != "/run/blog.sock" || s.Mode != 0o600 || s.UID != 0 || s.GID != -1 || s.Vacuum {
		t.Errorf("the third is %+v", s)
	}
}

func TestTooManySockets(t *testing.T) {
	cfg := config.Default()
	for range mostSockets + 1 {
		address := "unix:" + strings.Repeat("x", len(cfg.Servers)+1)
		cfg.Servers = append(cfg.Servers, &config.Server{Listen: []config.Listen{{Network: "unix", Address: address}}})
	}
	if _, err := listenSpecs(cfg); err == nil || !strings.Contains(err.Error(), "at most 63") {
		t.Errorf("got %v", err)
	}
}

// TestFindOwners: who runs what, as root.
func TestFindOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		p := &plan{cfg: &config.Config{User: "www", Apps: map[string]*config.App{"blog": {User: "blog"}}}, apps: map[string]*plannedApp{}}
		if err := p.findOwners(); err != nil || p.front != nil || p.apps["blog"].owner != nil || len(p.warnings) != 2 {
			t.Errorf("got %+v, %v; want no owners and two warnings", p, err)
		}
		return
	}
	f := func(cfg *config.Config, front, blog string) {
		t.Helper()
		p := &plan{cfg: cfg, apps: map[string]*plannedApp{}}
		if err := p.findOwners(); err != nil {
			t.Fatal(err)
		}
		if got := nameOf(p.front); got != front {
			t.Errorf("the front is %s; want %s", got, front)
		}
		if got := nameOf(p.apps["blog"].owner); got != blog {
			t.Errorf("app blog is %s; want %s", got, blog)
		}
	}
	app := func(user, group string) map[string]*config.App {
		return map[string]*config.App{"blog": {User: user, Group: group}}
	}
	f(&config.Config{Apps: app("", "")}, "nil", "nil")
	f(&config.Config{User: "nobody", Apps: app("", "")}, "nobody", "nobody")
	f(&config.Config{User: "nobody", Apps: app("daemon", "")}, "nobody", "daemon")
	f(&config.Config{User: "nobody", Apps: app("", "daemon")}, "nobody", "nobody:daemon")
	f(&config.Config{Apps: app("daemon", "")}, "nil", "daemon")
	f(&config.Config{Group: "daemon", Apps: app("", "")}, "root:daemon", "root:daemon")
	p := &plan{cfg: &config.Config{User: "nobody-has-this-name"}, apps: map[string]*plannedApp{}}
	if err := p.findOwners(); err == nil || !strings.Contains(err.Error(), `cannot run the front: there is no user "nobody-has-this-name"`) {
		t.Errorf("got %v", err)
	}
}

// nameOf is an owner's name, with the group if that is not its own.
func nameOf(o *owner) string {
	if o == nil {
		return "nil"
	}
	own, err := lookUpOwner(o.name, "")
	if err != nil || own.gid == o.gid {
		return o.name
	}
	return o.name + ":daemon"
}
