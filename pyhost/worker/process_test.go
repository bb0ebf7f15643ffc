package worker

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
	"hognose/pyhost/python"
)

var processes = python.Settings{Module: "processes", Chdir: "testdata"}

// TestLifeCycle follows zygote and workers from birth to death.
func TestLifeCycle(t *testing.T) {
	tr := newTree(t, options{settings: processes, processes: 2})
	title(t, tr.cmd.Process.Pid, "hognose: app test (zygote)", "hognose:test/z")
	one, two := tr.fork(0), tr.fork(1)
	title(t, one.pid, "hognose: app test worker 1", "hognose:test/1")
	title(t, two.pid, "hognose: app test worker 2", "hognose:test/2")
	f1, f2 := one.front(1), two.front(1)
	if r := askEither(tr, f1, f2, get("/hello")); r.body() != "hello" {
		t.Fatalf("got %v", r)
	}

	check(t, unix.Kill(one.pid, unix.SIGKILL))
	if c := tr.expect(wire.ControlExited); c.Worker != 0 || int(uint32(c.Arg)) != one.pid || unix.WaitStatus(c.Arg>>32).Signal() != unix.SIGKILL {
		t.Fatalf("killed worker is reported as %+v", c)
	}
	one = tr.fork(0)
	f1 = one.front(1)

	// Workers outlive their zygote.
	check(t, wire.SendControl(tr.control, wire.Control{Type: wire.ControlStop}))
	check(t, <-tr.exited)
	if r := askEither(tr, f1, f2, get("/hello")); r.body() != "hello" {
		t.Fatalf("without a zygote: got %v", r)
	}
	if strings.Contains(tr.logs.String(), "atexit") {
		t.Fatalf("the zygote ran what the application registered for exit:\n%s", tr.logs)
	}
	for _, p := range []*process{one, two} {
		p.send(wire.Control{Type: wire.ControlStop})
		waitExit(t, p.pid)
	}
}

// TestZygoteKilled: its workers serve on, and end with the master.
func TestZygoteKilled(t *testing.T) {
	tr := newTree(t, options{settings: processes})
	p := tr.fork(0)
	f := p.front(1)
	check(t, tr.cmd.Process.Kill())
	<-tr.exited
	if r := f.do(tr, get("/hello")); r.body() != "hello" {
		t.Fatalf("without a zygote: got %v", r)
	}
	hangUp(p.control)
	waitExit(t, p.pid)
}

// TestFork: workers are forked as Python wants it: hooks run, random numbers differ, what was imported stays frozen.
func TestFork(t *testing.T) {
	for _, in := range pythons(t) {
		t.Run(in.Version, func(t *testing.T) {
			tr := newTree(t, options{python: in, settings: processes, processes: 2})
			seen := map[string]bool{}
			for n := range 2 {
				p := tr.fork(n)
				body := p.front(1).do(tr, get("/birth")).body()
				if !strings.HasPrefix(body, "True True 0.") || seen[body] {
					t.Errorf("worker %d says %q after %v; want hooks, frozen objects, another random number", n, body, seen)
				}
				seen[body] = true
				p.send(wire.Control{Type: wire.ControlStop})
				tr.expect(wire.ControlExited)
			}
		})
	}
}

// TestMasterDiesDuringImport: a zygote that is busy importing does not outlive its master.
func TestMasterDiesDuringImport(t *testing.T) {
	s := app(t, "import sys, time\nsys.stderr.write('importing\\n')\nwhile True:\n    time.sleep(1)\n")
	for _, stop := range []bool{false, true} {
		tr := startTree(t, options{settings: s})
		tr.logs.wait(t, "importing")
		if stop {
			check(t, wire.SendControl(tr.control, wire.Control{Type: wire.ControlStop}))
		} else {
			hangUp(tr.control)
		}
		check(t, <-tr.exited)
	}
}

// TestClosing: the client has its response before close() is called, and the scoreboard says so.
func TestClosing(t *testing.T) {
	gate := t.TempDir() + "/gate"
	tr := newTree(t, options{settings: processes, env: []string{"GATE=" + gate}})
	p := tr.fork(0)
	f := p.front(1)
	if r := f.do(tr, get("/slow_close")); r.body() != "done" {
		t.Fatalf("got %v", r)
	}
	tr.logs.wait(t, "closing\n")
	if s := tr.board.Slot(0, 0); s.State != wire.SlotClosing {
		t.Errorf("slot is %+v; want it closing", s)
	}
	check(t, os.WriteFile(gate, nil, 0o644))
	poll(t, "close() has returned", func() bool { return tr.board.Slot(0, 0).State == wire.SlotIdle })
	if s := tr.board.Slot(0, 0); s.Requests != 1 || s.TX != 4 || s.Busy == 0 || s.Start == 0 || int(s.PID) != p.pid || s.Front != 1 || s.ID != 1 {
		t.Errorf("slot is %+v", s)
	}
}

func title(t *testing.T, pid int, want, name string) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	check(t, err)
	if got := strings.TrimRight(string(b), "\x00"); got != want {
		t.Errorf("title is %q; want %q", got, want)
	}
	b, err = os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	check(t, err)
	if got := strings.TrimSpace(string(b)); got != name {
		t.Errorf("name is %q; want %q", got, name)
	}
}

// askEither makes a request that any of two workers may answer.
func askEither(tr *tree, a, b *front, r request) *response {
	tr.t.Helper()
	id := tr.submit(r)
	ra, rb := a.expect(id), b.expect(id)
	select {
	case <-ra.done:
		return ra
	case <-rb.done:
		return rb
	case <-time.After(patience):
		tr.t.Fatalf("no answer; log:\n%s", tr.logs)
	}
	panic("unreachable")
}

// TestGracefulStop: what runs is finished, what waits stays in the queue, Python ends as it should.
func TestGracefulStop(t *testing.T) {
	for _, threads := range []int{1, 4} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			gate := t.TempDir() + "/gate"
			tr := newTree(t, options{settings: processes, processes: 2, threads: threads, env: []string{"GATE=" + gate}})
			p := tr.fork(0)
			f := p.front(1)
			running := f.expect(tr.submit(get("/wait")))
			tr.logs.wait(t, "waiting\n")
			p.send(wire.Control{Type: wire.ControlStop})
			p.send(wire.Control{Type: 99}) // shows in the log when the order before it has been taken
			tr.logs.wait(t, "ignored control message 99")
			poll(t, "idle threads have ended", func() bool {
				ended := 0
				for i := range threads {
					if tr.board.Slot(0, i).State == wire.SlotEmpty {
						ended++
					}
				}
				return ended == threads-1
			})
			queued := tr.submit(get("/hello"))
			check(t, os.WriteFile(gate, nil, 0o644))
			running.wait(tr)
			if running.body() != "waited" {
				t.Fatalf("running request: got %v", running)
			}
			if c := tr.expect(wire.ControlExited); c.Arg>>32 != 0 {
				t.Fatalf("stopped worker is reported as %+v; log:\n%s", c, tr.logs)
			}
			tr.logs.wait(t, "atexit ran in MainThread")
			// The next worker takes what waited.
			g := tr.fork(0).front(1)
			r := g.expect(queued)
			r.wait(tr)
			if r.body() != "hello" {
				t.Fatalf("queued request: got %v", r)
			}
		})
	}
}

// TestMasterDeath: nobody outlives the master, whatever the application does.
func TestMasterDeath(t *testing.T) {
	tr := newTree(t, options{settings: processes, processes: 3, threads: 2, env: []string{"GATE=/no/such"}})
	pids := []int{tr.cmd.Process.Pid}
	for n := range 3 {
		p := tr.fork(n)
		p.front(1)
		pids = append(pids, p.pid)
		if n == 1 {
			tr.submit(get("/spin"))
		}
		if n == 2 {
			tr.submit(get("/wait"))
		}
	}
	tr.logs.wait(t, "waiting")
	tr.dropAll()
	for _, pid := range pids {
		waitExit(t, pid)
	}
}

// dropAll closes every socket of the master at once, as its death does.
func (tr *tree) dropAll() {
	hangUp(tr.control)
	for _, p := range tr.workers {
		hangUp(p.control)
	}
}

// TestCannotLoad: what the master and the log are told when there is no application.
func TestCannotLoad(t *testing.T) {
	f := func(name, source, callable, want, log string) {
		t.Helper()
		s := app(t, source)
		s.Callable = callable
		tr := startTree(t, options{settings: s})
		if c := tr.expect(wire.ControlFailed); c.Text != want {
			t.Errorf("%s: master is told %q; want %q", name, c.Text, want)
		}
		if err := <-tr.exited; err == nil || err.(*exec.ExitError).ExitCode() != 3 {
			t.Errorf("%s: zygote ended with %v; want exit status 3", name, err)
		}
		tr.logs.wait(t, log)
		if strings.Contains(tr.logs.String(), "<hognose") || strings.Contains(tr.logs.String(), "importlib") {
			t.Errorf("%s: the traceback shows frames that are not the application's:\n%s", name, tr.logs)
		}
	}
	f("exception", "def f():\n    raise ValueError('broken\\nsecond line')\nf()\n", "",
		"app 'test': cannot load 'webapp': ValueError: broken", "webapp.py\", line 2, in f\n    raise ValueError(")
	f("missing module", "import no_such_module\n", "",
		"app 'test': cannot load 'webapp': ModuleNotFoundError: No module named 'no_such_module'", "webapp.py\", line 1, in <module>")
	f("syntax", "def (:\n", "", "app 'test': cannot load 'webapp': SyntaxError: invalid syntax (webapp.py, line 1)", "def (:")
	f("exit", "import sys\nsys.exit('no')\n", "", "app 'test': cannot load 'webapp': SystemExit: no", "SystemExit: no\n")
	f("no callable", "x = 1\n", "", "app 'test': cannot load 'webapp': AttributeError: module 'webapp' has no attribute 'application'", "AttributeError")
	f("not callable", "x = 1\n", "x", "app 'test': cannot load 'webapp:x': TypeError: 'x' is not callable: it is <class 'int'>", "TypeError")
	f("expression", "x = 1\n", "x + 1", "app 'test': cannot load 'webapp:x + 1': ValueError: callable 'x + 1' is neither a name nor a call with literals", "ValueError")
	f("factory", "def make(n):\n    raise KeyError(n)\n", "make('a')", "app 'test': cannot load \"webapp:make('a')\": KeyError: 'a'", "line 2, in make")
}

// TestNoModule: the module itself does not exist.
func TestNoModule(t *testing.T) {
	tr := startTree(t, options{settings: python.Settings{Module: "no.such", Chdir: t.TempDir()}})
	if c := tr.expect(wire.ControlFailed); c.Text != "app 'test': cannot load 'no.such': ModuleNotFoundError: No module named 'no'" {
		t.Errorf("master is told %q", c.Text)
	}
}

// TestNoLibpython: libpython is not there, or is something else.
func TestNoLibpython(t *testing.T) {
	f := func(lib, want string) {
		t.Helper()
		in := anyPython(t)
		in.Libpython = lib
		tr := startTree(t, options{settings: processes, python: in})
		if c := tr.expect(wire.ControlFailed); !strings.HasPrefix(c.Text, want) {
			t.Errorf("master is told %q; want %q", c.Text, want)
		}
		if err := <-tr.exited; err == nil || err.(*exec.ExitError).ExitCode() != 3 {
			t.Errorf("zygote ended with %v; want exit status 3", err)
		}
	}
	f("/no/such/libpython.so", "cannot load libpython: /no/such/libpython.so: cannot open shared object file")
	f("libc.so.6", `libpython "libc.so.6" (version "unknown") lacks "Py_BytesMain": CPython 3.8 or later is needed`)
}

// TestWaysToName: module, file, factory, dotted name, pythonpath, umask.
func TestWaysToName(t *testing.T) {
	const source = `
import os, sys
class Holder:
    pass
def make(text, times=1):
    def application(environ, start_response):
        start_response("200 OK", [])
        mask = os.umask(0)
        os.umask(mask)
        name = application.__module__
        return [("%s|%s|%o|%s" % (text * times, name, mask, sys.modules[name].__file__)).encode()]
    return application
application = make("plain")
holder = Holder()
holder.inner = Holder()
holder.inner.app = make("dotted")
`
	base := app(t, source)
	f := func(s python.Settings, want string) {
		t.Helper()
		tr := newTree(t, options{settings: s})
		if r := tr.fork(0).front(1).do(tr, get("/")); !strings.HasPrefix(r.body(), want) {
			t.Errorf("%+v: got %v; want %q", s, r, want)
		}
	}
	file := base.Chdir + "/webapp.py"
	s := base
	f(s, "plain|webapp|")
	s.Module = "webapp:holder.inner.app"
	f(s, "dotted|webapp|")
	s.Module, s.Callable = "webapp", "make('x', times=3)"
	f(s, "xxx|webapp|")
	mask := 0o27
	s = python.Settings{Module: "webapp", Chdir: "/", Pythonpath: []string{"/no/such", base.Chdir}, Umask: &mask}
	f(s, "plain|webapp|27|"+file)
	odd := base.Chdir + "/my-site.v2.wsgi"
	check(t, os.Rename(file, odd))
	f(python.Settings{WSGIFile: "my-site.v2.wsgi", Chdir: base.Chdir, Callable: "make('file')"}, "file|wsgi_file_my_site_v2|22|"+odd)
}

// TestVirtualEnvironment: an application sees the packages of its venv and only those.
func TestVirtualEnvironment(t *testing.T) {
	for _, in := range pythons(t) {
		t.Run(in.Version, func(t *testing.T) {
			dir := t.TempDir()
			if out, err := exec.Command(in.Executable, "-m", "venv", "--without-pip", dir+"/venv").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			venv, err := python.Find(dir+"/venv/bin/python", nil)
			check(t, err)
			if venv.Executable != dir+"/venv/bin/python" || venv.Libpython != in.Libpython {
				t.Fatalf("found %+v; want the venv's own with the library of %+v", venv, in)
			}
			minor := strings.Join(strings.SplitN(in.Version, ".", 3)[:2], ".")
			site := dir + "/venv/lib/python" + minor + "/site-packages"
			check(t, os.WriteFile(site+"/only_here.py", []byte("name = 'only here'\n"), 0o644))
			s := app(t, `
import sys, only_here
def application(environ, start_response):
    start_response("200 OK", [])
    return ["\n".join([only_here.name, sys.prefix, sys.executable, str(sys.version_info[:2])] + sys.path).encode()]
`)
			tr := newTree(t, options{python: venv, settings: s})
			body := tr.fork(0).front(1).do(tr, get("/")).body()
			lines := strings.Split(body, "\n")
			if len(lines) < 6 || lines[0] != "only here" || lines[1] != dir+"/venv" || lines[2] != venv.Executable ||
				lines[3] != "("+strings.Replace(minor, ".", ", ", 1)+")" || lines[4] != s.Chdir {
				t.Errorf("application sees\n%s", body)
			}
			for _, p := range lines[5:] {
				if p == "" || p == "." || p == s.Chdir {
					t.Errorf("sys.path has %q:\n%s", p, body)
				}
			}
		})
	}
}

// TestThreads: all threads of a worker serve at the same time, and frameworks see ordinary threads.
func TestThreads(t *testing.T) {
	tr := newTree(t, options{settings: processes, threads: 4, env: []string{"PARTIES=4"}})
	f := tr.fork(0).front(1)
	var rs []*response
	for range 4 {
		rs = append(rs, f.expect(tr.submit(get("/meet"))))
	}
	names := map[string]bool{}
	for _, r := range rs {
		r.wait(tr)
		names[r.body()] = true
	}
	for _, want := range []string{"MainThread True", "hognose-1 True", "hognose-2 True", "hognose-3 True"} {
		if !names[want] {
			t.Errorf("no thread said %q: %v", want, names)
		}
	}
}

// TestSignals: signals of the terminal are ignored, those of the application work, and programs it starts have the defaults.
func TestSignals(t *testing.T) {
	tr := newTree(t, options{settings: processes})
	p := tr.fork(0)
	f := p.front(1)
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGTERM} {
		check(t, unix.Kill(tr.cmd.Process.Pid, s))
		check(t, unix.Kill(p.pid, s))
		if r := f.do(tr, get("/hello")); r.body() != "hello" {
			t.Fatalf("after %v: got %v", s, r)
		}
	}
	out := f.do(tr, get("/signals")).body()
	_, hex, _ := strings.Cut(out, "SigIgn:\t")
	ignored, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
	check(t, err)
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGTERM, unix.SIGPIPE} {
		if ignored&(1<<(s-1)) != 0 {
			t.Errorf("programs start with %v ignored", s)
		}
	}
	if fds := strings.Count(out, "\n") - 1; fds > 4 { // 0, 1, 2 and that of ls
		t.Errorf("programs inherit descriptors:\n%s", out)
	}
	f.do(tr, get("/handle"))
	check(t, unix.Kill(p.pid, unix.SIGUSR1))
	tr.logs.wait(t, "handler ran")
	check(t, unix.Kill(p.pid, unix.SIGUSR2))
	tr.logs.wait(t, "ValueError: in a handler")
	if r := f.do(tr, get("/hello")); r.body() != "hello" {
		t.Fatalf("after a failed handler: got %v", r)
	}
	check(t, unix.Kill(p.pid, unix.SIGTERM))
	if c := tr.expect(wire.ControlExited); unix.WaitStatus(c.Arg>>32).ExitStatus() != 5 {
		t.Errorf("SystemExit of a handler: worker is reported as %+v", c)
	}
}
