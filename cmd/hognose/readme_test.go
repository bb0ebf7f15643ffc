package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"hognose/internal/config"
)

// root is the repository.
const root = "../.."

// actAsHognose is the variable that makes the test binary hognose itself, for the commands of the documents.
const actAsHognose = "HOGNOSE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(actAsHognose) != "" {
		os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// documents returns the text of all documents, by their names in the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*.md", "examples/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = mustRead(t, name)
		}
	}
	if all["README.md"] == "" || all["docs/config.md"] == "" {
		t.Fatal("the documents are not where this test looks for them")
	}
	return all
}

// mustRead returns the text of a file of the repository.
func mustRead(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// block is a fenced block of a document.
type block struct {
	place    string // "README.md:12"
	language string
	text     string
}

func blocksOf(name, text string) []block {
	var all []block
	inside := false
	n := 0
	for line := range strings.Lines(text) {
		n++
		switch fence, ok := strings.CutPrefix(line, "```"); {
		case ok && !inside:
			all = append(all, block{place: fmt.Sprintf("%s:%d", name, n), language: strings.TrimSpace(fence)})
			inside = true
		case ok:
			inside = false
		case inside:
			all[len(all)-1].text += line
		}
	}
	return all
}

// inLanguage returns the blocks of all documents in a language.
func inLanguage(t *testing.T, language string) []block {
	t.Helper()
	var all []block
	for name, text := range documents(t) {
		for _, b := range blocksOf(name, text) {
			if b.language == language {
				all = append(all, b)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no document has a block in %s", language)
	}
	return all
}

// TestDocumentedConfigurations: every configuration in a document is fit for use.
func TestDocumentedConfigurations(t *testing.T) {
	for _, b := range inLanguage(t, "toml") {
		if _, err := config.Parse("/etc/hognose/hognose.toml", []byte(b.text)); err != nil {
			t.Errorf("%s: %v", b.place, err)
		}
	}
}

// TestSeedCase: the README shows the files of examples/seed.
func TestSeedCase(t *testing.T) {
	readme := mustRead(t, "README.md")
	for _, name := range []string{"uwsgi.ini", "nginx.conf"} {
		if text := strings.TrimSpace(mustRead(t, "examples/seed/"+name)); !strings.Contains(readme, "\n"+text+"\n```") {
			t.Errorf("README.md does not show examples/seed/%s as it is", name)
		}
	}
	parse := func(text string) *config.Config {
		t.Helper()
		cfg, err := config.Parse("/srv/seed/config.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	want := parse(strings.Replace(mustRead(t, "examples/seed/config.toml"), `"../venv"`, `"venv"`, 1)) // which the examples share
	for _, b := range blocksOf("README.md", readme) {
		if b.language == "toml" {
			if !reflect.DeepEqual(parse(b.text), want) {
				t.Errorf("%s is not examples/seed/config.toml", b.place)
			}
			return
		}
	}
}

// TestDocumentedCommands runs what documents show in blocks of language console: "$ command", and the output below it. "..." in the
// output is any text.
func TestDocumentedCommands(t *testing.T) {
	dir := t.TempDir()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path, err := filepath.Abs(filepath.Join(root, e.Name()))
		if err == nil && e.Name() != "bin" {
			err = os.Symlink(path, filepath.Join(dir, e.Name()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	placeHognose(t, filepath.Join(dir, "bin"))
	for _, b := range inLanguage(t, "console") {
		for _, c := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			line, want, _ := strings.Cut(c, "\n")
			wantOutput(t, b.place, dir, line, strings.TrimSpace(want))
		}
	}
}

// placeHognose makes dir/hognose, which is this test binary acting as it.
func placeHognose(t *testing.T, dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", actAsHognose, self)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hognose"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// wantOutput runs a shell command and compares what it prints.
func wantOutput(t *testing.T, place, dir, line, want string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	_ = cmd.Run() // some show what goes wrong
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), regexp.QuoteMeta("..."), "(?s:.*)")
	if got := strings.TrimSpace(out.String()); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		t.Errorf("%s: %s\nprints %s\nwant   %s", place, line, got, want)
	}
}

// TestDocumentLinks: links to files of the repository lead somewhere.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %q: %v", name, m[1], err)
			}
		}
	}
}
