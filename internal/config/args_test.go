package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFromArgs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := FromArgs(Args{Module: "mysite.wsgi"})
	if err != nil {
		t.Fatal(err)
	}
	roundTrips(t, c)
	app, server := c.Apps["mysite"], c.Servers[0]
	if app.Module != "mysite.wsgi" || app.Callable != "application" || app.Chdir != dir || app.Processes != 1 || app.Threads != 1 {
		t.Errorf("app = %+v", app)
	}
	if l := server.Listen[0]; l.Address != "127.0.0.1:8000" || !l.DefaultServer || len(server.Listen) != 1 {
		t.Errorf("listen = %v", server.Listen)
	}
	if loc := server.Locations[0]; loc.Path.String() != "/" || loc.Pass.String() != "app:mysite" || !reflect.DeepEqual(loc.HTTP, Default().HTTP) {
		t.Errorf("location = %+v", loc)
	}

	c, err = FromArgs(Args{
		Module: "app:create_app('a:b')", Bind: []string{":80", "unix:run/a.sock", "[::1]:8080"}, Processes: 4, Threads: 2,
		Chdir: "src", Home: "venv", Env: []string{"A=1", "B=x=y", "A=2"}, Static: []string{"/static=public", "/media/=/srv/media/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	roundTrips(t, c)
	app, server = c.Apps["app"], c.Servers[0]
	if app.Callable != "create_app('a:b')" || app.Processes != 4 || app.Threads != 2 || app.Chdir != dir+"/src" || app.Python != dir+"/venv/bin/python" {
		t.Errorf("app = %+v", app)
	}
	if want := map[string]string{"A": "2", "B": "x=y"}; !reflect.DeepEqual(app.Env, want) {
		t.Errorf("env = %v", app.Env)
	}
	var got []string
	for _, l := range server.Listen {
		got = append(got, l.Addr())
	}
	for _, loc := range server.Locations {
		got = append(got, loc.Path.String()+" "+loc.Alias+loc.Pass.String())
	}
	want := []string{"0.0.0.0:80", "unix:" + dir + "/run/a.sock", "[::1]:8080", "/static/ " + dir + "/public/", "/media/ /srv/media/", "/ app:app"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestFromArgsErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	f := func(args Args, want string) {
		t.Helper()
		c, err := FromArgs(args)
		if err == nil || c != nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("FromArgs(%+v): %v; want one finding about %q", args, err, want)
		}
	}
	f(Args{}, "does not say what to run")
	f(Args{Module: "app.py"}, "is a file")
	f(Args{Module: "app:create_app("}, "not a Python name")
	f(Args{Module: "app:x()y"}, "not a Python name")
	f(Args{Module: "app:f('\xff')"}, "not a Python name")
	f(Args{Module: "a", Processes: -1}, "out of bounds")
	f(Args{Module: "a", Threads: 100_000}, "out of bounds")
	f(Args{Module: "a", Bind: []string{"127.0.0.1"}}, "no port")
	f(Args{Module: "a", Bind: []string{":80 ssl"}}, "--bind")
	f(Args{Module: "a", Bind: []string{":80", ":80"}}, "listens there already")
	f(Args{Module: "a", Env: []string{"A"}}, "NAME=VALUE")
	f(Args{Module: "a", Env: []string{"=A"}}, "environment variable")
	f(Args{Module: "a", Env: []string{"A=\xff"}}, "environment variable")
	f(Args{Module: "a", Static: []string{"/static"}}, "/prefix=directory")
	f(Args{Module: "a", Static: []string{"/=public"}}, "take all requests")
	f(Args{Module: "a", Static: []string{"static=public"}}, "does not start with")
	f(Args{Module: "a", Static: []string{"/static=."}}, "everybody could read")
	f(Args{Module: "a", Static: []string{"/static=/"}}, "every file")
	f(Args{Module: "a", Static: []string{"/s=a", "/s/=b"}}, "already")
}
