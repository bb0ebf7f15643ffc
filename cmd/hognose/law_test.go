package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// pkg is what go list says about a package of ours.
type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
	CgoFiles   []string
	Deps       []string
}

func listPackages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,CgoFiles,Deps", "hognose/...")
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %v\n%s", err, ee.Stderr)
		}
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, "hognose/")] = p
	}
}

// top returns the top-level folder of a package of ours, or "" for somebody else's.
func top(path string) string {
	rest, ours := strings.CutPrefix(path, "hognose/")
	if !ours {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// TestLaws holds the layout: see docs/architecture.md, "Laws".
func TestLaws(t *testing.T) {
	all := listPackages(t)
	siblings := map[string]bool{"proxy": true, "staticfs": true, "upstream": true, "tls": true, "pyhost": true}
	for name, p := range all {
		from := top(p.ImportPath)
		for _, path := range p.Imports {
			to := top(path)
			switch {
			case to == "cmd" || to == "bench" && from != "bench":
				t.Errorf("%s imports %s: nothing imports a program", name, path)
			case siblings[from] && siblings[to] && from != to:
				t.Errorf("%s imports %s: siblings meet in cmd/hognose, as values, so that each can be read and tested alone", name, path)
			case from == "internal" && siblings[to] && name != "internal/e2e":
				t.Errorf("%s imports %s: internal packages are below the top-level ones", name, path)
			}
		}
		if len(p.CgoFiles) > 0 && name != "pyhost/worker" {
			t.Errorf("%s has cgo files %v: C is in pyhost/worker alone", name, p.CgoFiles)
		}
		if p.Doc == "" {
			t.Errorf("%s has no package documentation", name)
		}
	}
	for _, path := range all["cmd/hognose"].Deps {
		if path == "testing" {
			t.Error("the testing package is in the binary")
		}
	}
}
