package master

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

func controlDrop(front uint64) wire.Control { return wire.Control{Type: wire.ControlDrop, Arg: front} }

func TestReload(t *testing.T) {
	tr := start(t, twoApps)
	blog, api, front, zygote := tr.pids("blog"), tr.pids("api"), tr.frontPID(), tr.zygote("blog")
	tr.reload("reload is done", 1)
	tr.gone(append(append(blog, api...), zygote)...)
	tr.moved("blog", tr.pids("blog")...)
	tr.moved("api", tr.pids("api")...)
	if now := tr.frontPID(); now != front {
		t.Errorf("front %d, then %d; want the same", front, now)
	}
	if told := tr.read("told"); strings.Count(told, " retire ") != 2 {
		t.Errorf("the front was told\n%s\nwant 2 generations retired", told)
	}
}

// TestReloadsCoalesce: however many reloads are asked for during one, one more follows.
func TestReloadsCoalesce(t *testing.T) {
	tr := start(t, oneApp)
	tr.tell("blog/import-hang")
	tr.signals <- unix.SIGHUP
	tr.waitLog(`"message":"importing"`, 2)
	for range 5 {
		tr.signals <- unix.SIGHUP
	}
	tr.waitLog("another reload follows", 5)
	tr.forget("blog/import-hang")
	tr.waitLog("reload is done", 2)
	tr.see("nothing is left to do", func(m *Master) bool { return m.rollout == nil && len(m.generations) == 1 })
	if n := strings.Count(tr.read("error.log"), `"message":"importing"`); n != 3 {
		t.Errorf("the code was imported %d times; want 3", n)
	}
	tr.moved("blog", tr.pids("blog")...)
}

// unchanged runs f, after which a reload must fail for a reason, and checks that it changed nothing.
func (tr *tree) unchanged(reason string, f func()) {
	tr.t.Helper()
	blog, front, zygote := tr.pids("blog"), tr.frontPID(), tr.zygote("blog")
	f()
	tr.reload("reload failed; everything goes on as before", 1)
	tr.waitLog(reason, 1)
	tr.see("what the reload has started is gone", func(m *Master) bool { return len(m.generations) == len(m.apps) })
	if now := tr.pids("blog"); !slices.Equal(now, blog) || tr.frontPID() != front || tr.zygote("blog") != zygote {
		tr.t.Errorf("workers %v, then %v; want everything as before", blog, now)
	}
	for range 4 {
		tr.answers("blog", blog...)
	}
	tr.do(func() {
		if n := len(tr.m.sockets); n != 1 {
			tr.t.Errorf("%d sockets are open; want 1", n)
		}
	})
}

func TestReloadFailures(t *testing.T) {
	extra := strings.Replace(twoApps, `"unix:DIR/http.sock"`, `["unix:DIR/http.sock", "unix:DIR/more.sock"]`, 1)
	t.Run("configuration", func(t *testing.T) {
		tr := start(t, oneApp)
		tr.unchanged("unknown key", func() { tr.configure(oneApp + "nonsense = 1\n") })
	})
	t.Run("interpreter", func(t *testing.T) {
		tr := start(t, oneApp)
		err := errors.New("there is no snake")
		tr.unchanged("there is no snake", func() { tr.prepare.Store(&err) })
	})
	t.Run("address", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		tr := start(t, oneApp)
		tr.unchanged("address already in use", func() { tr.configure(strings.Replace(extra, "unix:DIR/more.sock", ln.Addr().String(), 1)) })
	})
	t.Run("own address", func(t *testing.T) {
		tr := start(t, strings.Replace(oneApp, `"unix:DIR/http.sock"`, `["unix:DIR/http.sock", "127.0.0.1:0"]`, 1))
		var address string
		tr.do(func() { address = tr.m.sockets["127.0.0.1:0"].Addr() })
		tr.configure(strings.Replace(oneApp, `"unix:DIR/http.sock"`, `["unix:DIR/http.sock", "`+strings.Replace(address, "127.0.0.1", "0.0.0.0", 1)+`"]`, 1))
		tr.reload("reload failed", 1)
		tr.waitLog(`it may be hognose itself, with \"`+address, 1)
		tr.answers("blog", tr.pids("blog")...)
	})
	t.Run("new application", func(t *testing.T) {
		tr := start(t, oneApp)
		tr.unchanged("SyntaxError: broken", func() {
			tr.configure(extra)
			tr.tell("api/import-fail")
		})
	})
	t.Run("routes", func(t *testing.T) {
		tr := start(t, oneApp)
		tr.unchanged("routes make no sense", func() {
			tr.configure(extra)
			tr.tell("front-refuse")
		})
	})
	t.Run("log", func(t *testing.T) {
		tr := start(t, oneApp)
		tr.unchanged(filepath.Join(tr.dir, "none"), func() { tr.configure(strings.Replace(extra, "DIR/error.log", "DIR/none/error.log", 1)) })
	})
	t.Run("certificate", func(t *testing.T) {
		tr := start(t, oneApp)
		tr.unchanged("cannot read the certificate", func() {
			tr.configure(extra +
				"[[server]]\nlisten = \"unix:DIR/tls.sock ssl\"\ncertificate = { cert = \"DIR/none.pem\", key = \"DIR/none.key\" }\nroot = \"DIR/files\"\n")
		})
	})
}

// TestReloadOfBrokenCode: the application keeps its old workers; the rest of the reload is done.
func TestReloadOfBrokenCode(t *testing.T) {
	for sign, reason := range map[string]string{
		"blog/import-fail": "SyntaxError: broken", "blog/import-die": "exited with code 3", "blog/worker-die": "exited with code 7",
	} {
		t.Run(sign, func(t *testing.T) {
			tr := start(t, twoApps)
			blog, api := tr.pids("blog"), tr.pids("api")
			tr.tell(sign)
			tr.reload("reload is done", 1)
			tr.waitLog(reason, 1)
			tr.waitLog(`the new code of app \"blog\" is not used`, 1)
			tr.answers("blog", blog...)
			tr.moved("api", tr.newPIDs("api", api...)...)
			tr.forget(sign)
			tr.reload("reload is done", 2)
			tr.moved("blog", tr.newPIDs("blog", blog...)...)
		})
	}
}

// TestReloadWaitsForWorkers: the old workers serve until all new ones are ready.
func TestReloadWaitsForWorkers(t *testing.T) {
	tr := start(t, oneApp)
	blog := tr.pids("blog")
	tr.tell("blog/worker-slow")
	tr.signals <- unix.SIGHUP
	tr.waitLog("worker begins", 4)
	tr.answers("blog", blog...)
	tr.forget("blog/worker-slow")
	tr.waitLog("reload is done", 1)
	tr.moved("blog", tr.pids("blog")...)
}

// TestReloadOfApps: applications, workers and listeners come and go with the configuration.
func TestReloadOfApps(t *testing.T) {
	tr := start(t, oneApp)
	tr.configure(strings.Replace(strings.Replace(twoApps, "processes = 2", "processes = 3", 1),
		`"unix:DIR/http.sock"`, `["unix:DIR/http.sock", "unix:DIR/more.sock"]`, 1))
	tr.reload("reload is done", 1)
	if n := len(tr.pids("blog")); n != 3 {
		t.Errorf("app blog has %d workers; want 3", n)
	}
	tr.moved("api", tr.pids("api")...)
	if _, err := ask(tr.path("more.sock"), "blog"); err != nil {
		t.Errorf("the new socket: %v", err)
	}
	api := tr.pids("api")
	tr.configure(oneApp)
	tr.reload("reload is done", 2)
	tr.gone(api...)
	if _, err := os.Stat(tr.path("more.sock")); !os.IsNotExist(err) {
		t.Errorf("the removed socket: %v", err)
	}
	tr.see("app api is gone", func(m *Master) bool { return m.apps["api"] == nil && len(m.generations) == 1 })
	tr.moved("blog", tr.pids("blog")...)
}

// TestReloadWithoutApps: a front alone can be reloaded, too.
func TestReloadWithoutApps(t *testing.T) {
	toml := `
temp_path = "DIR"
log.error = "DIR/error.log"
[[server]]
listen = "unix:DIR/http.sock"
root = "DIR/blog"
`
	tr := start(t, toml)
	tr.waitLog("serving no applications", 1)
	tr.reload("reload is done", 1)
	if got := tr.ask("blog"); got != "no such app" {
		t.Errorf("got %q", got)
	}
}

// TestFrontDiesOnConfig: a front that dies of a new configuration comes back with the old one.
func TestFrontDiesOnConfig(t *testing.T) {
	tr := start(t, oneApp)
	blog, front := tr.pids("blog"), tr.frontPID()
	tr.configure(twoApps)
	tr.tell("front-die-on-reload")
	tr.reload("the front died while it took over the configuration", 1)
	eventually(t, "another front serves", func() bool { return tr.frontPID() != front })
	tr.answers("blog", blog...)
	tr.see("nothing is left of the reload", func(m *Master) bool { return len(m.generations) == 1 && m.apps["api"] == nil })
}

// TestFrontSilentOnConfig: a front that does not answer does not hold the reload up for ever.
func TestFrontSilentOnConfig(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	blog := tr.pids("blog")
	tr.tell("front-hang")
	tr.signals <- unix.SIGHUP
	tr.see("the front has been asked", func(m *Master) bool { return m.rollout != nil && m.rollout.state == rolloutApplying })
	tr.clock.advance(applyPatience)
	tr.waitLog("the front has not taken the configuration within 30s", 1)
	tr.forget("front-hang")
	tr.answers("blog", blog...)
}

// TestReloadWithoutFront: a reload while the next front waits for its turn; it starts with the new configuration.
func TestReloadWithoutFront(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	tr.tell("front-die")
	tr.kill(tr.frontPID())
	tr.waitLog("the front is replaced in 1s", 1)
	tr.configure(twoApps)
	tr.reload("reload is done", 1)
	tr.forget("front-die")
	tr.clock.advance(time.Second)
	tr.moved("api", tr.pids("api")...)
	tr.moved("blog", tr.pids("blog")...)
}

// TestMercy: old workers run until the front needs them no more, but not longer than reload_mercy.
func TestMercy(t *testing.T) {
	tr := newTree(t, strings.Replace(oneApp, "processes = 2", "processes = 1\nreload_mercy = \"40s\"", 1))
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	old := tr.pids("blog")[0]
	tr.tell("front-hold")
	tr.reload("reload is done", 1)
	tr.moved("blog", tr.newPIDs("blog", old)...)
	tr.clock.advance(40*time.Second - 1)
	tr.see("the old worker is there", func(m *Master) bool { return len(m.generations) == 2 })
	tr.clock.advance(1)
	tr.gone(old)
	tr.waitLog("old workers still run after reload_mercy", 1)
	tr.forget("front-hold")

	// And one that was told to stop, but does not.
	old = tr.pids("blog")[0]
	tr.tell("blog/stop-ignore")
	tr.reload("reload is done", 2)
	tr.see("the old generation stops", func(m *Master) bool {
		for _, g := range m.generations {
			if g.state == genStopping {
				return true
			}
		}
		return false
	})
	tr.clock.advance(40 * time.Second)
	tr.gone(old)
	tr.forget("blog/stop-ignore")
}

// TestCrowd: a reload waits while several old generations are at work.
func TestCrowd(t *testing.T) {
	tr := start(t, oneApp)
	tr.tell("front-hold")
	for i := range drainingLimit {
		tr.reload("reload is done", i+1)
	}
	tr.reload("the reload begins when old workers have finished", 1)
	tr.do(func() {
		if n := len(tr.m.generations); n != drainingLimit+1 {
			t.Errorf("there are %d generations; want %d", n, drainingLimit+1)
		}
	})
	tr.forget("front-hold")
	tr.waitLog("reload is done", drainingLimit+1)
	tr.see("all but one are gone", func(m *Master) bool { return len(m.generations) == 1 })
}

// TestDrainingWorkersDie: an old generation gets no new workers, and ends with its last.
func TestDrainingWorkersDie(t *testing.T) {
	tr := start(t, oneApp)
	old, zygote := tr.pids("blog"), tr.zygote("blog")
	tr.tell("front-hold")
	tr.reload("reload is done", 1)
	tr.kill(old[0])
	tr.gone(old[0])
	tr.see("the other one serves on", func(m *Master) bool { return len(m.generations) == 2 })
	tr.kill(old[1])
	tr.gone(old[1], zygote)
	tr.see("the old generation is gone", func(m *Master) bool { return len(m.generations) == 1 })
	tr.forget("front-hold")
	tr.moved("blog", tr.pids("blog")...)
}

// TestFrontDiesWhileDraining: requests of the old generation have lost their clients with the front.
func TestFrontDiesWhileDraining(t *testing.T) {
	tr := start(t, oneApp)
	old := tr.pids("blog")
	tr.tell("front-hold")
	tr.reload("reload is done", 1)
	tr.kill(tr.frontPID())
	tr.gone(old...)
	tr.forget("front-hold")
	tr.moved("blog", tr.pids("blog")...)
}

// TestReloadFollowsLink: a chdir that is a link is followed anew, for releases that are switched by one.
func TestReloadFollowsLink(t *testing.T) {
	tr := newTree(t, strings.Replace(oneApp, "DIR/blog", "DIR/current", 1))
	must(os.Symlink(tr.path("blog"), tr.path("current")))
	tr.run()
	tr.waitState(stateServing)
	tr.inDirectory("blog")
	must(os.Remove(tr.path("current")))
	must(os.Symlink(tr.path("api"), tr.path("current")))
	old := tr.pids("blog")
	tr.kill(old[0]) // what is replaced before the reload is of the old release
	tr.newPIDs("blog", old[0])
	tr.inDirectory("blog")
	tr.reload("reload is done", 1)
	tr.inDirectory("api")
}

func (tr *tree) inDirectory(want string) {
	tr.t.Helper()
	for _, pid := range tr.pids("blog") {
		dir, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
		if err != nil || dir != tr.path(want) {
			tr.t.Errorf("worker %d runs in %q (%v); want %q", pid, dir, err, tr.path(want))
		}
	}
}

// TestReopenLogs: after a rotation master and front write to new files.
func TestReopenLogs(t *testing.T) {
	tr := start(t, strings.Replace(oneApp, `error = "DIR/error.log"`, `error = "DIR/error.log", access = "DIR/access.log"`, 1))
	tr.waitLog("front writes to its log", 1)
	must(os.Rename(tr.path("error.log"), tr.path("error.log.1")))
	must(os.Rename(tr.path("access.log"), tr.path("access.log.1")))
	tr.signals <- unix.SIGUSR1
	tr.waitLog("logs are reopened", 1)
	tr.waitLog("front writes to its log", 1)
	eventually(t, "the access log is there", func() bool { return tr.read("access.log") != "" })
	if strings.Contains(tr.read("error.log.1"), "reopened") {
		t.Error("the old log is written on")
	}
}
