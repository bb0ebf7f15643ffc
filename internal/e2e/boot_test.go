package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImportErrors: an application that cannot be imported ends the start with exit code 1, the traceback and its name.
func TestImportErrors(t *testing.T) {
	f := func(name, module, code string, wants ...string) {
		t.Run(name, func(t *testing.T) {
			v := newVariables(t)
			v.writeFile("broken.py", code)
			v.writeConfig(strings.Replace(site{name: "shop", module: module}.String(), `chdir = "$APPS"`, `chdir = "$DIR"`, 1))
			r := hognose(t, v, "run", "-c", "$DIR/hognose.toml")
			if r.code != 1 {
				t.Errorf("exit code %d; want 1", r.code)
			}
			for _, want := range append(wants, "shop") {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("the log lacks %q:\n%s", want, r.stderr)
				}
			}
		})
	}
	f("an exception", "broken:app", "def inner():\n    raise ValueError('cannot start')\ninner()\n", "Traceback", "broken.py", "in inner", "ValueError: cannot start")
	f("a syntax error", "broken:app", "def app(:\n", "SyntaxError", "broken.py")
	f("no such module", "nowhere:app", "", "ModuleNotFoundError", "nowhere")
	f("no such callable", "broken:app", "application = None\n", "broken", "app")
	f("not callable", "broken:app", "app = 42\n", "broken", "app")
	f("exit at import", "broken:app", "import sys\nsys.exit(7)\n", "SystemExit")
	f("no such dependency", "broken:app", "import flask_is_not_installed\n", "ModuleNotFoundError", "flask_is_not_installed")
}

// TestNoInterpreter: a python that is not there, or is none, is one error that names it.
func TestNoInterpreter(t *testing.T) {
	f := func(python, want string) {
		t.Helper()
		v := newVariables(t)
		v.writeConfig(strings.Replace(site{name: "shop", module: "hello:app"}.String(), `python = "$PYTHON"`, `python = "`+python+`"`, 1))
		r := hognose(t, v, "run", "-c", "$DIR/hognose.toml")
		if r.code != 1 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "shop") {
			t.Errorf("python = %q: got %+v; want exit code 1 with %q and the application", python, r, want)
		}
	}
	f("/no/such/python", "/no/such/python")
	f("/bin/false", "/bin/false")
}

// TestNoLibpython: an interpreter without a shared libpython is one error that names it and what to install.
func TestNoLibpython(t *testing.T) {
	v := newVariables(t)
	// An interpreter that says of itself what a static build says.
	v.writeFile("static.py", `
import sys, sysconfig
variables = sysconfig.get_config_vars()
variables.update(Py_ENABLE_SHARED=0, LDLIBRARY="libpython0.0.a", INSTSONAME="libpython0.0.a", LIBRARY="libpython0.0.a",
                 LIBDIR="/no/such/place", LIBPL="/no/such/place", VERSION="0.0", py_version_short="0.0", LDVERSION="0.0")
sysconfig.get_config_var = variables.get
sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = "/no/such/place"
flags = [a for a in sys.argv[1:] if a != "-"]
while flags and flags[0].startswith("-") and flags[0] != "-c":
    flags.pop(0)
if flags and flags[0] == "-c":
    code, sys.argv = flags[1], flags[1:]
elif flags:
    code, sys.argv = open(flags[0]).read(), flags
else:
    code = sys.stdin.read()
exec(compile(code, "<probe>", "exec"), {"__name__": "__main__"})
`)
	python := filepath.Join(v.dir, "python")
	script := "#!/bin/sh\nexec '" + host.python + "' '" + v.dir + "/static.py' \"$@\"\n"
	if err := os.WriteFile(python, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	v.writeConfig(strings.Replace(site{name: "shop", module: "hello:app"}.String(), `python = "$PYTHON"`, `python = "`+python+`"`, 1))
	r := hognose(t, v, "run", "-c", "$DIR/hognose.toml")
	for _, want := range []string{"shop", python, "libpython", "install"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the error lacks %q:\n%s", want, r.stderr)
		}
	}
	if r.code != 1 || strings.Count(r.stderr, "libpython") > 4 {
		t.Errorf("got exit code %d and\n%s\nwant 1 and one error", r.code, r.stderr)
	}
}

// TestPlainPython: without python and home the application runs in what `python3` of PATH is, even a wrapper script.
func TestPlainPython(t *testing.T) {
	s := start(t, strings.Replace(site{module: "facts:app"}.String(), "python = \"$PYTHON\"\n", "", 1))
	got := decode[facts](t, s.get("/"))
	want, err := executableOf("python3")
	if err != nil {
		t.Fatal(err)
	}
	if got.Process.Executable != want {
		t.Errorf("sys.executable = %q; want %q", got.Process.Executable, want)
	}
}

// TestVirtualenv: an application in a virtualenv has that virtualenv's packages and none of the others.
func TestVirtualenv(t *testing.T) {
	v := newVariables(t)
	if out, err := exec.Command(host.python, "-m", "venv", "--without-pip", v.dir+"/venv").CombinedOutput(); err != nil {
		t.Fatalf("cannot make a virtualenv (Debian, Ubuntu: apt-get install python3-venv): %v\n%s", err, out)
	}
	packages, err := filepath.Glob(v.dir + "/venv/lib/python3*/site-packages")
	if err != nil || len(packages) != 1 {
		t.Fatalf("site-packages: %q, %v", packages, err)
	}
	if err := os.WriteFile(packages[0]+"/only_here.py", []byte("from facts import app\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(site{name: "inside", module: "only_here:app"}.String(), `python = "$PYTHON"`, `home = "$DIR/venv"`, 1)
	s := startWith(t, v, config)
	got := decode[facts](t, s.get("/")).Process
	if got.Prefix != v.dir+"/venv" || got.BasePrefix == got.Prefix || got.Executable != v.dir+"/venv/bin/python" {
		t.Errorf("prefix %q, base prefix %q, executable %q; want those of %s/venv", got.Prefix, got.BasePrefix, got.Executable, v.dir)
	}
	if !slices.Contains(got.Path, packages[0]) {
		t.Errorf("sys.path %q lacks %q", got.Path, packages[0])
	}
}

// TestTwoVirtualenvs: two applications whose packages differ run in one tree, each with its own.
func TestTwoVirtualenvs(t *testing.T) {
	v := newVariables(t)
	config := "[[server]]\nlisten = [\"$HTTP\"]\n"
	for _, name := range []string{"one", "two"} {
		if out, err := exec.Command(host.python, "-m", "venv", "--without-pip", v.dir+"/"+name).CombinedOutput(); err != nil {
			t.Fatalf("cannot make a virtualenv: %v\n%s", err, out)
		}
		packages, _ := filepath.Glob(v.dir + "/" + name + "/lib/python3*/site-packages")
		code := "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'package " + name + "']\n"
		if err := os.WriteFile(packages[0]+"/package.py", []byte(code), 0o644); err != nil {
			t.Fatal(err)
		}
		config = "[app." + name + "]\nmodule = \"package:app\"\nhome = \"$DIR/" + name + "\"\n" + config +
			"[[server.location]]\npath = \"/" + name + "\"\npass = \"app:" + name + "\"\n"
	}
	s := startWith(t, v, config)
	s.get("/one").want(t, 200, "package one")
	s.get("/two").want(t, 200, "package two")
}

// TestAppSettings: chdir, pythonpath, env, umask and wsgi_file reach the application; what belongs to hognose does not.
func TestAppSettings(t *testing.T) {
	v := newVariables(t)
	if err := os.MkdirAll(v.dir+"/work", 0o755); err != nil {
		t.Fatal(err)
	}
	v.writeFile("work/entry.py", "from facts import app as application\n")
	s := startWith(t, v, `
[app.set]
wsgi_file = "$DIR/work/entry.py"
chdir = "$DIR/work"
pythonpath = ["$APPS"]
python = "$PYTHON"
env = { E2E_COLOUR = "teal", E2E_EMPTY = "" }
umask = "027"

[[server]]
listen = ["$HTTP"]
[[server.location]]
path = "/"
pass = "app:set"
`)
	got := decode[facts](t, s.get("/")).Process
	if got.CWD != v.dir+"/work" || !slices.Contains(got.Path, host.apps) || got.Umask != 0o027 || got.Env["E2E_COLOUR"] != "teal" {
		t.Errorf("cwd %q, umask %o, env %q, path %q; want what the config says", got.CWD, got.Umask, got.Env["E2E_COLOUR"], got.Path)
	}
	if empty, there := got.Env["E2E_EMPTY"]; !there || empty != "" {
		t.Errorf("E2E_EMPTY = %q, %t; want it set and empty", empty, there)
	}
	for name := range got.Env {
		if strings.HasPrefix(name, "HOGNOSE") {
			t.Errorf("the application sees %s, which is hognose's own", name)
		}
	}
	if slices.Contains(got.Argv, "run") {
		t.Errorf("sys.argv = %q; want nothing of hognose's", got.Argv)
	}
}

// TestStandardStreams: what an application prints at import and in requests is in the log.
func TestStandardStreams(t *testing.T) {
	v := newVariables(t)
	v.writeFile("printer.py", "import sys\nprint('printed at import')\nprint('error at import', file=sys.stderr)\n"+
		"def app(environ, start_response):\n    print('printed in a request', flush=True)\n    print('error in a request', file=sys.stderr)\n"+
		"    start_response('200 OK', [])\n    return [b'printed']\n")
	s := startWith(t, v, strings.Replace(site{module: "printer:app"}.String(), `chdir = "$APPS"`, `chdir = "$DIR"`, 1))
	s.get("/").want(t, 200, "printed")
	for _, text := range []string{"printed at import", "error at import", "printed in a request", "error in a request"} {
		eventually(t, "the log has "+text, func() bool { return s.log.contains(text) })
	}
}
