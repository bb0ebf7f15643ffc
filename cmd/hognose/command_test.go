package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hognose/internal/config"
)

// TestCommand: help goes to standard output, everything wrong to standard error, and exit codes tell them apart.
func TestCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	f := func(code int, want string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		got := command(args, &stdout, &stderr)
		text, other := &stderr, &stdout
		if code == exitOK {
			text, other = &stdout, &stderr
		}
		if got != code || !strings.Contains(text.String(), want) || other.Len() > 0 {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d and %q", args, got, &stdout, &stderr, code, want)
		}
	}
	f(exitUsage, "Usage:")
	f(exitOK, "Usage:", "-h")
	f(exitOK, "Usage:", "help")
	f(exitUsage, `unknown command "serve"`, "serve")

	f(exitOK, "--bind ADDR", "run", "-h")
	f(exitOK, "SIGHUP", "run", "app:app", "--help")
	f(exitUsage, "hognose.toml", "run")
	f(exitUsage, "--no-such", "run", "--no-such")
	f(exitUsage, `"b:b" is too much`, "run", "a:a", "b:b")
	f(exitUsage, "two ways", "run", "-c", "x.toml", "a:a")
	f(exitUsage, "MODULE:CALLABLE is missing", "run", "--processes", "2")
	f(exitUsage, `"many"`, "run", "a:a", "--processes", "many")
	f(exitUsage, "x.toml", "run", "-c", "x.toml")

	f(exitOK, "--print", "check", "--help")
	f(exitUsage, `"x.toml" is too much`, "check", "x.toml")
	f(exitUsage, "x.toml", "check", "-c", "x.toml")

	f(exitOK, "hognose version", "version", "-h")
	f(exitOK, "hognose "+versionText(), "version")
	f(exitUsage, `"extra" is too much`, "version", "extra")
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hognose.toml")
	f := func(code int, toml, want string, args ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if got := command(append([]string{"check", "-c", path}, args...), &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%q: exit code %d, output %q; want %d and %q", toml, got, &out, code, want)
		}
	}
	const good = "[app.blog]\nmodule = \"blog:app\"\n[[server]]\nlisten = 8000\n[[server.location]]\npath = \"/\"\npass = \"app:blog\"\n"
	f(exitOK, good, "fit for use")
	f(exitOK, good, "keepalive_timeout", "--print")
	f(exitUsage, good+"nonsense = 1\n", path+":8")
}

// TestAppArgs: options may stand before and behind the application.
func TestAppArgs(t *testing.T) {
	f := func(args ...string) *config.Config {
		t.Helper()
		flags := newFlags("run", "")
		app := appFlags(flags)
		rest, _, done := flags.parse(args, nil, os.Stderr)
		if done || len(rest) != 1 {
			t.Fatalf("%q: left are %q", args, rest)
		}
		app.Module = rest[0]
		cfg, err := app.load()
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	for _, args := range [][]string{
		{"blog.wsgi:app", "--bind", ":1234", "--processes", "3", "--threads=2", "--bind", "unix:/run/x", "--env", "A=b", "--static", "/s=/srv/s"},
		{"--bind", ":1234", "-bind", "unix:/run/x", "--processes", "3", "blog.wsgi:app", "--threads", "2", "--env", "A=b", "--static", "/s=/srv/s"},
	} {
		cfg := f(args...)
		app := cfg.Apps["blog"]
		if app == nil || app.Module != "blog.wsgi" || app.Callable != "app" || app.Processes != 3 || app.Threads != 2 || app.Env["A"] != "b" {
			t.Errorf("%q: app is %+v", args, app)
		}
		if s := cfg.Servers[0]; len(s.Listen) != 2 || s.Listen[0].Address != "0.0.0.0:1234" || len(s.Locations) != 2 {
			t.Errorf("%q: server is %+v", args, s)
		}
	}
}
