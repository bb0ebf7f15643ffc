package e2e

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestGracefulStop: a request that runs when SIGTERM comes is finished; new connections are refused; exit code 0.
func TestGracefulStop(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGQUIT": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			s := start(t, site{module: "slow:app", app: "processes = 2"}.String())
			idle := s.dial()
			idle.send("GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
			idle.read("GET").wantStatus(t, 200)
			c := s.dial()
			c.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
			worker := s.holder("held-x", 1)
			s.signal(sig)
			// The idle connection is closed at once: the sign that the stop has begun.
			idle.rest()
			eventually(t, "new connections are refused", func() bool {
				conn, err := net.DialTimeout("tcp", s.address("$HTTP"), time.Second)
				if err == nil {
					conn.Close()
				}
				return err != nil
			})
			s.give("x")
			c.read("GET").want(t, 200, itoa(worker))
			if code := s.waitExit(); code != 0 {
				t.Errorf("exit code %d; want 0", code)
			}
		})
	}
}

// TestStopDeadline: a request that never ends holds the stop up no longer than worker_shutdown_timeout.
func TestStopDeadline(t *testing.T) {
	s := start(t, site{module: "slow:app", top: `worker_shutdown_timeout = "1s"`}.String())
	c := s.dial()
	c.send("GET /held?never HTTP/1.1\r\nHost: localhost\r\n\r\n")
	s.holder("held-never", 1)
	s.signal(syscall.SIGTERM)
	s.waitExit()
}

// TestReloadUnderLoad: SIGHUP every second for 20 seconds, the application changed on disk
// each time, and not one request fails; in the end the last code serves.
func TestReloadUnderLoad(t *testing.T) {
	v := newVariables(t)
	writeVersion(v, 0)
	s := startWith(t, v, versionConfig)
	front := s.one(frontTitle())
	known := func(a answer) string {
		if a.status != 200 || !strings.HasPrefix(a.body, "version ") {
			return "got " + itoa(a.status) + " " + short(a.body)
		}
		return ""
	}
	files := s.idleFiles(front)
	l := s.startLoad(8, "/", known)
	l.more(50)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for version := 1; version <= 20; version++ {
		<-tick.C
		writeVersion(v, version)
		s.signal(syscall.SIGHUP)
	}
	eventually(t, "the last version serves", func() bool { return s.get("/").body == "version 20" })
	l.more(100)
	l.finish()
	s.workers("versions", 2)
	s.one(zygoteTitle("versions"))
	s.wantSettled(front, files)
	// Once new code serves, the old never does again.
	for range 50 {
		s.get("/").want(t, 200, "version 20")
	}
}

var versionConfig = strings.Replace(site{module: "versions:app", app: "processes = 2"}.String(), `chdir = "$APPS"`, `chdir = "$DIR"`, 1)

func writeVersion(v *variables, version int) {
	v.writeFile("versions.py", "def app(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n"+
		"    return [b'version "+itoa(version)+"']\n")
}

// TestReloadKeepsConnections: a kept-alive connection and a running request survive a reload;
// the old worker finishes what it runs.
func TestReloadKeepsConnections(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 2"}.String())
	old := pids(s.workers("slow", 2))
	idle, busy := s.dial(), s.dial()
	idle.send("GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
	idle.read("GET").wantStatus(t, 200)
	busy.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	holder := s.holder("held-x", 1)
	s.signal(syscall.SIGHUP)
	eventually(t, "a new worker serves on the old connection", func() bool {
		idle.send("GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")
		a := idle.read("GET")
		return a.status == 200 && !old[number(a.body)]
	})
	s.give("x")
	busy.read("GET").want(t, 200, itoa(holder))
	eventually(t, "the old workers go", func() bool {
		for pid := range pids(s.find(workersTitle("slow"))) {
			if old[pid] {
				return false
			}
		}
		return true
	})
}

// TestReloadMovesTheQueue: a request that waits behind a long one in an old worker is served by the new one at once.
func TestReloadMovesTheQueue(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 1"}.String())
	busy, waiting := s.dial(), s.dial()
	busy.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	old := s.holder("held-x", 1)
	waiting.send("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
	s.signal(syscall.SIGHUP)
	if a := waiting.read("POST"); a.status != 200 || !strings.HasPrefix(a.body, "3 ") {
		t.Errorf("the request that waited: got %d %q; want 200", a.status, short(a.body))
	}
	s.give("x")
	busy.read("GET").want(t, 200, itoa(old))
}

// TestReloadMercy: an old worker that does not finish is killed after reload_mercy. What waited behind it, and was never
// begun, is served by the new one, whatever its method.
func TestReloadMercy(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 1\nreload_mercy = \"2s\""}.String())
	busy, waiting := s.dial(), s.dial()
	busy.send("POST /held?never HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	old := s.holder("held-never", 1)
	waiting.send("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
	s.signal(syscall.SIGHUP)
	busy.read("POST").wantStatus(t, 502)
	if a := waiting.read("POST"); a.status != 200 || !strings.HasPrefix(a.body, "3 ") {
		t.Errorf("the request that waited: got %d %q; want 200", a.status, short(a.body))
	}
	if got := s.get("/pid").body; got == itoa(old) {
		t.Errorf("the old worker %s serves after its end", got)
	}
}

// TestReloadOfBadConfig: a config with an error is reported with its place, and changes nothing.
func TestReloadOfBadConfig(t *testing.T) {
	v := newVariables(t)
	writeVersion(v, 1)
	s := startWith(t, v, versionConfig)
	before := pids(familyOf(s.pid()))
	writeVersion(v, 2)
	v.writeConfig(versionConfig + "\n[app.versions2]\nmodul = \"versions:app\"\n")
	s.signal(syscall.SIGHUP)
	eventually(t, "the error is reported", func() bool { return s.log.contains("modul") && s.log.contains("hognose.toml") })
	s.get("/").want(t, 200, "version 1")
	if after := pids(familyOf(s.pid())); !sameSet(before, after) {
		t.Errorf("a bad config changed the processes: %v, then %v", before, after)
	}
	v.writeConfig(versionConfig)
	s.signal(syscall.SIGHUP)
	eventually(t, "a good config is taken", func() bool { return s.get("/").body == "version 2" })
}

// TestReloadOfBrokenCode: new code that does not import is reported with its traceback; the old serves on.
func TestReloadOfBrokenCode(t *testing.T) {
	v := newVariables(t)
	writeVersion(v, 1)
	s := startWith(t, v, versionConfig)
	workers := pids(s.workers("versions", 2))
	v.writeFile("versions.py", "raise RuntimeError('broken release')\n")
	s.signal(syscall.SIGHUP)
	eventually(t, "the traceback is reported", func() bool { return s.log.contains("RuntimeError: broken release") })
	s.get("/").want(t, 200, "version 1")
	if now := pids(s.workers("versions", 2)); !sameSet(workers, now) {
		t.Errorf("broken code replaced the workers: %v, then %v", workers, now)
	}
	writeVersion(v, 2)
	s.signal(syscall.SIGHUP)
	eventually(t, "good code is taken", func() bool { return s.get("/").body == "version 2" })
}

// TestReloadOfConfig: listeners, locations and applications come and go with the config.
func TestReloadOfConfig(t *testing.T) {
	first := site{module: "hello:app"}.String()
	v := newVariables(t)
	s := startWith(t, v, first)
	v.writeConfig(site{module: "hello:app", app: "processes = 2", more: `
[app.facts]
module = "facts:app"
chdir = "$APPS"
python = "$PYTHON"

[[server.location]]
path = "/facts"
pass = "app:facts"

[[server]]
listen = ["$HTTP2"]
[[server.location]]
path = "/"
pass = "app:facts"
`}.String())
	s.signal(syscall.SIGHUP)
	eventually(t, "the new location serves", func() bool { return strings.HasPrefix(s.get("/facts").body, "{") })
	eventually(t, "the new listener serves", func() bool { return answersHTTP(s.address("$HTTP2"), false) })
	s.workers("hello", 2)
	v.writeConfig(first)
	s.signal(syscall.SIGHUP)
	eventually(t, "the old location is gone", func() bool { return s.get("/facts").body == "Hello" })
	eventually(t, "the new listener is gone", func() bool { return !answersHTTP(s.address("$HTTP2"), false) })
	eventually(t, "the second application is gone", func() bool { return len(s.find("hognose: app facts")) == 0 })
	s.workers("hello", 1)
}

// TestReopenLogs: after SIGUSR1 the logs are written to new files, so that the old ones can be rotated.
func TestReopenLogs(t *testing.T) {
	s := start(t, site{module: "hello:app"}.String())
	s.get("/before").wantStatus(t, 200)
	eventually(t, "the access log has the request", func() bool { return strings.Contains(s.read("access.log"), "/before") })
	if err := os.Rename(s.file("access.log"), s.file("access.log.1")); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGUSR1)
	eventually(t, "a new access log", func() bool {
		s.get("/after").wantStatus(t, 200)
		return strings.Contains(s.read("access.log"), "/after")
	})
	if strings.Contains(s.read("access.log"), "/before") {
		t.Errorf("the new access log holds old requests")
	}
}
