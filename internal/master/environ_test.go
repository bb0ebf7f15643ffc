package master

import (
	"slices"
	"strings"
	"testing"

	"hognose/internal/config"
)

// env is the environment of an application as it will see it: of several entries for one name, the last.
func env(entries []string) map[string]string {
	m := map[string]string{}
	for _, e := range entries {
		name, value, _ := strings.Cut(e, "=")
		m[name] = value
	}
	return m
}

func TestAppEnv(t *testing.T) {
	t.Setenv("SECRET", "of the caller")
	t.Setenv("LC_TIME", "de_DE.UTF-8")
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	t.Setenv("PATH", "/usr/bin")
	m := New(Options{})
	got := env(m.appEnv(&config.App{Home: "/venv", Env: map[string]string{"TZ": "UTC", "COLOUR": "teal", "EMPTY": ""}}, nil, "/srv/blog"))
	want := map[string]string{
		"LC_TIME": "de_DE.UTF-8", "TZ": "UTC", "COLOUR": "teal", "EMPTY": "", "VIRTUAL_ENV": "/venv", "PATH": "/venv/bin:/usr/bin",
		"PWD": "/srv/blog", RoleEnv: RolePython,
	}
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s = %q, %t; want %q", name, v, ok, value)
		}
	}
	for _, name := range []string{"SECRET", "NOTIFY_SOCKET"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s = %q reaches the application", name, v)
		}
	}
	got = env(m.appEnv(&config.App{PassEnvironment: []string{"*"}}, nil, "/srv/blog"))
	if got["SECRET"] != "of the caller" || got["PATH"] != "/usr/bin" {
		t.Errorf("SECRET = %q, PATH = %q; want them inherited", got["SECRET"], got["PATH"])
	}
	if v, ok := got["NOTIFY_SOCKET"]; ok {
		t.Errorf("NOTIFY_SOCKET = %q reaches the application", v)
	}
}

func TestOwnerEnv(t *testing.T) {
	m := New(Options{})
	got := m.appEnv(&config.App{}, &owner{name: "blog", home: "/home/blog"}, "/")
	for _, want := range []string{"HOME=/home/blog", "USER=blog", "LOGNAME=blog"} {
		if !slices.Contains(got, want) {
			t.Errorf("environment %q lacks %q", got, want)
		}
	}
}
