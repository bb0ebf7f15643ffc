package peers

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hognose/bench/proc"
)

// testSite serves the hello application from the benchmark's own environment.
func testSite(t *testing.T) Site {
	t.Helper()
	bench, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: Unix socket paths must be short.
	dir, err := os.MkdirTemp("", "hb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return Site{
		Dir: dir, App: "hello:application", AppsDir: filepath.Join(bench, "apps"),
		Venv: filepath.Join(bench, ".peers", "venv"), Workers: 2, Cores: 2, Backlog: 128,
		HognoseBin: filepath.Join(bench, "..", "bin", "hognose"),
	}
}

func find(t *testing.T, name string) Peer {
	t.Helper()
	index := slices.IndexFunc(All(), func(p Peer) bool { return p.Name == name })
	if index < 0 {
		t.Fatalf("no peer %q", name)
	}
	return All()[index]
}

// need skips unless everything that the peer runs is there.
func need(t *testing.T, peer Peer, site Site) {
	t.Helper()
	programs := slices.Clone(peer.Needs)
	if peer.app != nil {
		programs = append(programs, filepath.Join(site.Venv, "bin", "granian"))
	}
	if peer.Name == Hognose {
		programs = append(programs, site.HognoseBin)
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not there", filepath.Base(program))
		}
	}
}

func TestAppPeersServeAndStop(t *testing.T) {
	for _, name := range []string{Hognose, NginxUWSGI, NginxGunicorn, NginxGranian, Granian} {
		t.Run(name, func(t *testing.T) {
			site, peer := testSite(t), find(t, name)
			need(t, peer, site)
			server, err := peer.Start(context.Background(), site, "/")
			if err != nil {
				t.Fatal(err)
			}
			stopped := false
			defer func() {
				if !stopped {
					server.Stop()
				}
			}()
			if body := get(t, server.URL+"/"); body != "Hello, World!\n" {
				t.Errorf("got body %q", body)
			}
			awaitTiers(t, server, name)
			all, err := server.All()
			if err != nil {
				t.Fatal(err)
			}
			stopped = true
			// What another server leaves behind when it is stopped so early is its own
			// affair; that nothing stays is ours.
			if err := server.Stop(); err != nil && name == Hognose {
				t.Errorf("stop: %v", err)
			}
			for _, pid := range all {
				if stat, err := proc.ReadStat(pid); err == nil && stat.State != 'Z' {
					t.Errorf("process %d %q still runs", pid, proc.Title(pid))
				}
			}
		})
	}
}

// awaitTiers waits for the workers, which may come up after the first answer: at
// least two and their master are in the application tier, and front and
// application together are all of it.
func awaitTiers(t *testing.T, server *Server, name string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		front, app, all := tiers(t, server)
		whole := len(app)+len(front) == len(all) || name == Granian
		if len(app) >= 3 && len(front) > 0 && whole {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got app %v and front %v of %v, want at least 3 and 1, and all of them", app, front, all)
		}
	}
}

func tiers(t *testing.T, server *Server) (front, app, all []int) {
	t.Helper()
	for _, tier := range []struct {
		read func() ([]int, error)
		pids *[]int
	}{{server.Front, &front}, {server.App, &app}, {server.All, &all}} {
		pids, err := tier.read()
		if err != nil {
			t.Fatal(err)
		}
		*tier.pids = pids
	}
	return front, app, all
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return string(body)
}

func TestStaticPeersServe(t *testing.T) {
	for _, name := range []string{Hognose, Nginx, NginxCache} {
		t.Run(name, func(t *testing.T) {
			site, peer := testSite(t), find(t, name)
			need(t, peer, site)
			site.App, site.StaticDir = "", filepath.Join(site.Dir, "files")
			if err := os.Mkdir(site.StaticDir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(site.StaticDir, "a.txt"), []byte("static"), 0o644); err != nil {
				t.Fatal(err)
			}
			server, err := peer.Start(context.Background(), site, "/static/a.txt")
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			if body := get(t, server.URL+"/static/a.txt"); body != "static" {
				t.Errorf("got body %q", body)
			}
		})
	}
}

func TestStartTellsWhatTheServerSaid(t *testing.T) {
	site, peer := testSite(t), find(t, NginxUWSGI)
	need(t, peer, site)
	site.App = "no_such_module:application"
	server, err := peer.Start(context.Background(), site, "/")
	if err == nil {
		server.Stop()
		t.Fatal("a peer with a broken application started")
	}
	if !strings.Contains(err.Error(), "no_such_module") {
		t.Errorf("error does not say what is wrong: %v", err)
	}
}

func TestStopReportsOrphans(t *testing.T) {
	dir := t.TempDir()
	// The shell ends on SIGTERM and leaves its child running.
	p, err := start(dir, "sh", "-c", "sleep 60 & echo ready; wait")
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{procs: []*process{p}}
	if err := server.await(context.Background(), "the child", func() error {
		if !strings.Contains(p.logTail(), "ready") {
			return syscall.EAGAIN
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err == nil || !strings.Contains(err.Error(), "left processes behind") {
		t.Errorf("got %v, want an error about the process left behind", err)
	}
}

func TestTemplatesOfEveryKind(t *testing.T) {
	site := testSite(t)
	site.AccessLog, site.Cert, site.Key, site.StaticDir = true, "/c.pem", "/k.pem", "/s"
	f := func(name string, c settings, want ...string) {
		t.Helper()
		text, err := c.render(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s lacks %q:\n%s", name, part, text)
			}
		}
	}
	c := settings{Site: site, Listen: "127.0.0.1:8000", Root: true, Cache: true}
	f("nginx.conf", c, "user root;", "listen 127.0.0.1:8000 reuseport backlog=128 ssl;", "ssl_certificate /c.pem;",
		"alias /s/;", "access.log combined", "open_file_cache max")
	f("hognose.toml", c, `user = "root"`, `listen = ["127.0.0.1:8000 ssl backlog=128"]`, `cert = "/c.pem"`,
		`alias = "/s/"`, `module = "hello:application"`, "processes = 2", "access.log")
	f("granian.args", c, "--port 8000\n", "--access-log\n", "--ssl-certificate /c.pem\n", "\nhello:application\n")
	c.Socket, c.Protocol = "/app.sock", "uwsgi"
	f("nginx.conf", c, "server unix:/app.sock;", "uwsgi_pass app;")
	f("uwsgi.ini", c, "socket = /app.sock", "module = hello:application", "processes = 2")
	c.Protocol = "http"
	f("nginx.conf", c, "proxy_pass http://app;", "keepalive 64;")
	f("gunicorn.conf.py", c, `bind = "unix:/app.sock"`, "workers = 2")
	f("granian.args", c, "--uds /app.sock\n")
}
