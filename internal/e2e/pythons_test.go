package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythons runs a request through every CPython from 3.8 on that this machine has with a shared libpython.
func TestPythons(t *testing.T) {
	ran := 0
	for _, python := range findPythons() {
		version, shared := describePython(python)
		if !shared {
			continue
		}
		ran++
		t.Run(version, func(t *testing.T) {
			config := strings.Replace(site{module: "facts:app", app: "processes = 2\nthreads = 2"}.String(), `"$PYTHON"`, `"`+python+`"`, 1)
			s := start(t, config)
			got := decode[facts](t, s.get("/")).Process
			if got.Version != version || got.Executable != python {
				t.Errorf("runs in Python %s, %q; want %s, %q", got.Version, got.Executable, version, python)
			}
			l := s.startLoad(4, "/", func(a answer) string {
				if a.status != 200 {
					return "got " + itoa(a.status)
				}
				return ""
			})
			l.more(100)
			l.finish()
		})
	}
	if ran == 0 {
		t.Fatal("no CPython with a shared libpython on this machine; install it: apt-get install python3-dev")
	}
	t.Logf("%d interpreters", ran)
}

// findPythons returns sys.executable of every interpreter that PATH and pyenv know, each once.
func findPythons() []string {
	var names []string
	for minor := 8; minor < 30; minor++ {
		names = append(names, fmt.Sprintf("python3.%d", minor))
	}
	names = append(names, "python3", os.Getenv("PYTHON"))
	for dir := range strings.SplitSeq(os.Getenv("PATH"), ":") {
		for _, name := range names[:len(names)-2] {
			names = append(names, filepath.Join(dir, name))
		}
	}
	if out, err := exec.Command("pyenv", "prefix").Output(); err == nil {
		if root := filepath.Dir(strings.TrimSpace(string(out))); root != "." {
			found, _ := filepath.Glob(filepath.Join(root, "*", "bin", "python3"))
			names = append(names, found...)
		}
	}
	seen := map[string]bool{}
	var found []string
	for _, name := range names {
		if name == "" {
			continue
		}
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		python, err := executableOf(name)
		if real, _ := filepath.EvalSymlinks(python); err == nil && !seen[real] {
			seen[real] = true
			found = append(found, python)
		}
	}
	return found
}

// describePython returns the version of an interpreter, and whether it is a CPython from 3.8 on with a shared libpython.
func describePython(python string) (version string, shared bool) {
	out, err := exec.Command(python, "-c", `
import os, sys, sysconfig
var = sysconfig.get_config_var
name = var("INSTSONAME") or ""
there = ".so" in name and any(os.path.exists(os.path.join(var("LIBDIR") or "", n)) for n in (name, name + ".1.0"))
print("%d.%d.%d" % sys.version_info[:3], int(there and sys.version_info >= (3, 8) and sys.implementation.name == "cpython"))
`).Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 2 {
		return "", false
	}
	return fields[0], fields[1] == "1"
}
