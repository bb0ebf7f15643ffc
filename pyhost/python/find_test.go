package python

import (
	"encoding/json"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFind asks the Python of PATH. It must be one that can host applications: hognose needs it.
func TestFind(t *testing.T) {
	in, err := Find("python3", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(in.Executable) || !strings.HasPrefix(in.Version, "3.") {
		t.Errorf("found %+v", in)
	}
	if st, err := os.Stat(in.Libpython); err != nil || !st.Mode().IsRegular() {
		t.Errorf("libpython of %+v: %v", in, err)
	}
	again, err := Find(in.Executable, nil)
	if err != nil || again != in {
		t.Errorf("asked again by its path: %+v, %v; want %+v", again, err, in)
	}
}

// fake writes a program that acts as an interpreter.
func fake(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func says(t *testing.T, a map[string]any) string {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return fake(t, "echo '"+string(text)+"'")
}

func TestFindRefuses(t *testing.T) {
	f := func(path string, want ...string) {
		t.Helper()
		in, err := find(path, nil, time.Second)
		if err == nil {
			t.Errorf("%s: found %+v; want an error", path, in)
			return
		}
		for _, w := range append(want, strconv.Quote(path)) {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error is %q; want %q in it", err, w)
			}
		}
	}
	f("/no/such/python", "does not exist", "install Python 3.8 or later")
	f("no-such-python", "does not exist")
	f(t.TempDir(), "cannot run")
	f(fake(t, "echo broken >&2; exit 1"), "cannot run", "exit status 1: broken")
	f(fake(t, "echo hello"), "does not answer like Python", "hello")
	f(fake(t, "exec sleep 60"), "does not answer within 1s")
	f(fake(t, "sleep 60 & sleep 60"), "does not answer within 1s")
	a := map[string]any{"executable": "/x/python", "implementation": "CPython", "version": "3.7.16", "prefix": "/x", "libpython": []string{"/x/lib.so"}}
	f(says(t, a), "CPython 3.7.16", "too old", "3.8 or later")
	a["version"] = "2.7.18"
	f(says(t, a), "too old")
	a["version"], a["implementation"] = "3.11.2", "PyPy"
	f(says(t, a), "PyPy 3.11.2", "only CPython")
	a["implementation"], a["free_threaded"] = "CPython", true
	f(says(t, a), "free-threaded")
	a["free_threaded"], a["libpython"] = false, []string{}
	f(says(t, a), "no shared libpython", "--enable-shared")
	a["prefix"] = "/usr"
	f(says(t, a), "no shared libpython", "libpython3.11", "python3-libs")
}

// TestFindKeepsSecrets: the interpreter does not see the caller's environment.
func TestFindKeepsSecrets(t *testing.T) {
	t.Setenv("SECRET", "1")
	t.Setenv("PYTHONSTARTUP", "/no/such")
	_, err := Find(fake(t, "env >&2; exit 1"), nil)
	if err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got %v", err)
	}
	out := filepath.Join(t.TempDir(), "env")
	if _, err := Find(fake(t, "env > "+out), nil); err == nil {
		t.Error("a program that says nothing was accepted")
	}
	env, err := os.ReadFile(out)
	if err != nil || strings.Contains(string(env), "SECRET") || strings.Contains(string(env), "PYTHON") || !strings.Contains(string(env), "PATH=") {
		t.Errorf("environment is %q, %v", env, err)
	}
}

// TestFindAs: the interpreter runs as the user it is asked for.
func TestFindAs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run programs as somebody else")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	path := filepath.Join(t.TempDir(), "python")
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nid -u >&2; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(path, &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}); err == nil || !strings.HasSuffix(err.Error(), ": "+nobody.Uid) {
		t.Errorf("got %v; want the uid %s", err, nobody.Uid)
	}
}
