package e2e

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// result is what a finished command left.
type result struct {
	code           int
	stdout, stderr string
}

// hognose runs a command line that ends by itself.
func hognose(t *testing.T, v *variables, args ...string) result {
	t.Helper()
	for i := range args {
		args[i] = v.expand(args[i])
	}
	cmd := exec.Command(host.binary, args...)
	cmd.Dir = v.dir
	var stdout, stderr logBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("cannot run %q: %v", cmd.Args, err)
	}
	if found := trouble.FindString(stderr.String()); found != "" {
		t.Errorf("%q wrote %q", cmd.Args, found)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// TestHelp: -h of each command goes to standard output, names every flag, and is a success.
func TestHelp(t *testing.T) {
	v := newVariables(t)
	f := func(want []string, args ...string) {
		t.Helper()
		r := hognose(t, v, args...)
		if r.code != 0 || r.stderr != "" {
			t.Errorf("%q: exit code %d, stderr %q; want 0 and nothing", args, r.code, r.stderr)
		}
		for _, text := range want {
			if !strings.Contains(r.stdout, text) {
				t.Errorf("%q does not mention %q:\n%s", args, text, r.stdout)
			}
		}
	}
	f([]string{"run", "check", "version"}, "-h")
	f([]string{"run", "check", "version"}, "--help")
	f([]string{"-c", "MODULE", "--bind", "--processes", "--threads", "SIGHUP", "SIGTERM", "SIGUSR1"}, "run", "-h")
	f([]string{"-c", "--print"}, "check", "-h")
	f([]string{"version"}, "version", "-h")
}

// TestUsageErrors: misuse is exit code 2, one explanation on standard error, and nothing on standard output.
func TestUsageErrors(t *testing.T) {
	v := newVariables(t)
	f := func(explained string, args ...string) {
		t.Helper()
		r := hognose(t, v, args...)
		if r.code != 2 || r.stdout != "" || !strings.Contains(r.stderr, explained) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want 2 and an explanation with %q", args, r.code, r.stdout, r.stderr, explained)
		}
	}
	f("run")
	f("-c FILE", "run")
	f("-c FILE", "check")
	f("MODULE:CALLABLE", "run", "--bind", "127.0.0.1:8000")
	f("serve", "serve")
	f("--no-such-flag", "run", "--no-such-flag")
	f("no-such.toml", "run", "-c", "no-such.toml")
	f("no-such.toml", "check", "-c", "no-such.toml")
	f("hello:app", "run", "-c", "no-such.toml", "hello:app")
	f("many", "run", "hello:app", "--processes", "many")
	f("nowhere", "run", "hello:app", "--bind", "nowhere")
	f("extra", "version", "extra")
}

// TestVersion: one line with the name and a version.
func TestVersion(t *testing.T) {
	r := hognose(t, newVariables(t), "version")
	if r.code != 0 || !regexp.MustCompile(`^hognose \S+`).MatchString(r.stdout) || r.stderr != "" {
		t.Errorf("got %+v; want one line with the version", r)
	}
}

// TestCheck: a good config passes; each error is found with its place and the nearest valid word.
func TestCheck(t *testing.T) {
	v := newVariables(t)
	v.writeConfig(site{module: "hello:app"}.String())
	if r := hognose(t, v, "check", "-c", "$DIR/hognose.toml"); r.code != 0 {
		t.Errorf("a good config: got %+v; want 0", r)
	}
	f := func(config string, wants ...string) {
		t.Helper()
		v.writeConfig(config)
		r := hognose(t, v, "check", "-c", "$DIR/hognose.toml")
		if r.code != 2 {
			t.Errorf("%q: exit code %d; want 2", config, r.code)
		}
		for _, want := range append(wants, "hognose.toml:") {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("%q: got %q; want %q in it", config, r.stderr, want)
			}
		}
	}
	f("[app.hello]\nmodule = \"hello:app\"\nproceses = 4\n", ":3", "proceses", `"processes"`)
	f("[app.hello]\nmodule = \"hello:app\"\nprocesses = \"four\"\n", ":3", "processes")
	f("[app.hello]\nmodule = 5\n", ":2", "module")
	f("[[server]]\nlisten = [\"$HTTP\"]\n[[server.location]]\npath = \"/\"\npass = \"app:nobody\"\n", ":5", "nobody")
	f("[app.hello]\nmodule == 1\n", ":2")
	f("[http]\nsend_timeout = \"soon\"\n", ":2", "send_timeout", "soon")
}

// TestCheckPrint: what check --print prints is a config, complete, and printing it again changes nothing.
func TestCheckPrint(t *testing.T) {
	v := newVariables(t)
	v.writeConfig(site{module: "hello:app"}.String())
	first := hognose(t, v, "check", "-c", "$DIR/hognose.toml", "--print")
	if first.code != 0 || !strings.Contains(first.stdout, "client_max_body_size") {
		t.Fatalf("got %+v; want the effective config with its defaults", first)
	}
	v.writeFile("printed.toml", first.stdout)
	second := hognose(t, v, "check", "-c", "$DIR/printed.toml", "--print")
	if second.code != 0 || second.stdout != first.stdout {
		t.Errorf("printed again: got %+v; want the same as\n%s", second, first.stdout)
	}
	s := launch(t, v, "run", "-c", "$DIR/printed.toml")
	s.waitReady()
	s.get("/").want(t, 200, "Hello")
}

// TestRunWithoutConfig: `hognose run module:callable` serves, with as many workers as it is told.
func TestRunWithoutConfig(t *testing.T) {
	v := newVariables(t)
	v.writeFile("website.py", "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%d %d' % (environ['wsgi.multiprocess'], environ['wsgi.multithread'])]\n")
	s := launch(t, v, "run", "website:app", "--bind", "$HTTP", "--processes", "2", "--threads", "3")
	s.waitReady()
	s.get("/any/path").want(t, 200, "1 1")
	if n := len(s.find("hognose: app ")); n != 3 {
		t.Errorf("%d processes of the application; want a zygote and 2 workers", n)
	}
}

// TestRunPlain: one process of one thread unless told otherwise, flags before or after the application.
func TestRunPlain(t *testing.T) {
	v := newVariables(t)
	v.writeFile("website.py", "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%d %d' % (environ['wsgi.multiprocess'], environ['wsgi.multithread'])]\n")
	s := launch(t, v, "run", "--bind", "$HTTP", "website")
	s.waitReady()
	s.get("/").want(t, 200, "0 0")
}

// TestRunOnBusyPort: an address in use is one clear error and exit code 1; nothing is left behind.
func TestRunOnBusyPort(t *testing.T) {
	s := start(t, site{module: "hello:app"}.String())
	r := hognose(t, s.vars, "run", "-c", "$DIR/hognose.toml")
	if r.code != 1 || !strings.Contains(r.stderr, s.address("$HTTP")) || !strings.Contains(r.stderr, "address already in use") {
		t.Errorf("got %+v; want exit code 1 and the address", r)
	}
	s.get("/").want(t, 200, "Hello")
}

// TestTitles: ps shows the tree in words.
func TestTitles(t *testing.T) {
	s := start(t, site{module: "hello:app", app: "processes = 2"}.String())
	s.one(frontTitle())
	s.one(zygoteTitle("hello"))
	s.one(workersTitle("hello") + "1")
	s.one(workersTitle("hello") + "2")
	master, _ := readProcess("/proc/" + itoa(s.pid()))
	if !strings.HasPrefix(master.title, "hognose: master") {
		t.Errorf("the master's title is %q; want \"hognose: master\"", master.title)
	}
}

// TestPIDFile: the pid file holds the master's pid while it runs.
func TestPIDFile(t *testing.T) {
	s := start(t, site{module: "hello:app", top: `pid = "$DIR/hognose.pid"`}.String())
	if got := strings.TrimSpace(s.read("hognose.pid")); got != itoa(s.pid()) {
		t.Errorf("the pid file holds %q; want %d", got, s.pid())
	}
	s.signal(syscall.SIGTERM)
	s.waitExit()
	if _, err := os.Stat(s.file("hognose.pid")); !os.IsNotExist(err) {
		t.Errorf("the pid file is still there: %v", err)
	}
}
