package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// listen reads addresses as the listen key does.
func listen(t testing.TB, specs ...string) []config.Listen {
	t.Helper()
	var out []config.Listen
	for _, s := range specs {
		l, err := config.ParseListen(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// server returns a server with locations that pass to an application.
func server(t testing.TB, specs, names string, paths ...string) *config.Server {
	t.Helper()
	s := &config.Server{Listen: listen(t, strings.Split(specs, ",")...), HTTP: config.Default().HTTP}
	if names != "" {
		s.ServerName = strings.Split(names, ",")
	}
	for _, p := range paths {
		path, err := config.ParseLocationPath(p)
		if err != nil {
			t.Fatal(err)
		}
		s.Locations = append(s.Locations, &config.Location{Path: path, Pass: config.Pass{Kind: config.PassApp, Target: "a"}, HTTP: s.HTTP})
	}
	return s
}

// tell builds handlers that answer with the first name of their server and their location.
func tell(s *config.Server, loc *config.Location) (exchange.Handler, error) {
	name := ""
	if len(s.ServerName) > 0 {
		name = s.ServerName[0]
	}
	return func(ex *exchange.Exchange) error {
		ex.Response.Reset()
		ex.Response.Status = 200
		ex.Response.Body = []byte(name + " " + loc.Path.String())
		ex.Response.Length = int64(len(ex.Response.Body))
		return nil
	}, nil
}

// ask routes a request and returns what its handler answers, or the status of an error.
func ask(t *testing.T, rt *Router, addr, hostName, target string) (*exchange.Exchange, string) {
	t.Helper()
	run := newRun(rt.Guard(addr))
	head := "GET " + target + " HTTP/1.0"
	if hostName != "" {
		head += "\nHost: " + hostName
	}
	run.readString(t, r(head))
	loc, err := rt.Route(addr, &run.ex, &run.hd)
	if loc == nil {
		t.Fatalf("%s%s: no location with error %v", hostName, target, err)
	}
	if err != nil {
		return &run.ex, "error " + strings.Fields(err.Error())[0]
	}
	if err := loc.Handler(&run.ex); err != nil {
		t.Fatal(err)
	}
	return &run.ex, string(run.ex.Response.Body)
}

func TestRouterHosts(t *testing.T) {
	rt, err := NewRouter([]*config.Server{
		server(t, "80,81", "one.test,www.one.test", "/"),
		server(t, "80 default_server", "two.test", "/"),
		server(t, "81", "three.test,", "/"),
		server(t, "82 default_server", "", "/"),
		server(t, "unix:/run/x.sock uwsgi", "_", "/"),
		server(t, "84", "", "/"),
		server(t, "84", "one.test", "/"),
		server(t, "84 default_server", "two.test", "/"),
	}, tell)
	if err != nil {
		t.Fatal(err)
	}
	f := func(addr, hostName, want string) {
		t.Helper()
		if _, got := ask(t, rt, addr, hostName, "/"); got != want {
			t.Errorf("host %q at %s: %q; want %q", hostName, addr, got, want)
		}
	}
	f("0.0.0.0:80", "one.test", "one.test /")
	f("0.0.0.0:80", "WWW.One.test.:80", "one.test /")
	f("0.0.0.0:80", "two.test", "two.test /")
	f("0.0.0.0:80", "other.test", "two.test /")
	f("0.0.0.0:80", "", "two.test /")
	f("0.0.0.0:80", "three.test", "two.test /")
	f("0.0.0.0:81", "one.test", "one.test /")
	f("0.0.0.0:81", "three.test", "three.test /")
	f("0.0.0.0:81", "", "three.test /")
	f("0.0.0.0:81", "other.test", "error 421")
	f("0.0.0.0:82", "anything", " /")
	f("0.0.0.0:84", "one.test", "one.test /")
	f("0.0.0.0:84", "x", "two.test /")
	f("0.0.0.0:83", "one.test", "error 421")
	f("unix:/run/x.sock", "x", "_ /")
}

func TestRouterLocations(t *testing.T) {
	rt, err := NewRouter([]*config.Server{
		server(t, "80 default_server", "", "/", "/a", "/a/b/", "= /a/c", "/flask/", "/api/", "= /api", "/v1/", "/v1"),
		server(t, "80", "bare.test", "/only/", "= /only/x"),
	}, tell)
	if err != nil {
		t.Fatal(err)
	}
	f := func(hostName, target, want string) {
		t.Helper()
		if _, got := ask(t, rt, "0.0.0.0:80", hostName, target); got != want {
			t.Errorf("%s: %q; want %q", target, got, want)
		}
	}
	f("h", "/", " /")
	f("h", "/a", " /a")
	f("h", "/a/", " /a")
	f("h", "/a/x", " /a")
	f("h", "/ax", " /")
	f("h", "/a../x", " /")
	f("h", "/a/bx", " /a")
	f("h", "/a/b/", " /a/b/")
	f("h", "/a/b/c", " /a/b/")
	f("h", "/a/c", " = /a/c")
	f("h", "/a/%63?x", " = /a/c")
	f("h", "/a/c/", " /a")
	f("h", "/x/../a/c", " = /a/c")
	f("h", "/A", " /")
	f("h", "/flask/x", " /flask/")
	f("h", "/flaskx", " /")
	f("h", "/api", " = /api")
	f("h", "/api/x", " /api/")
	f("h", "/v1", " /v1")
	f("bare.test", "/only/x", "bare.test = /only/x")
	f("bare.test", "/only/y", "bare.test /only/")
	f("bare.test", "/", "error 404")
}

func TestRouterRedirectsToSlash(t *testing.T) {
	s := server(t, "80 default_server", "", "/", "/flask/", "/caf\u00e9 bar/")
	s.Locations = append(s.Locations, &config.Location{Path: config.LocationPath{Path: "/static/"}, Alias: "/srv/static/", HTTP: s.HTTP})
	rt, err := NewRouter([]*config.Server{s}, tell)
	if err != nil {
		t.Fatal(err)
	}
	f := func(target, want string) {
		t.Helper()
		ex, _ := ask(t, rt, "0.0.0.0:80", "h", target)
		i := slices.IndexFunc(ex.Response.Fields, func(f exchange.Field) bool { return string(f.Name) == "Location" })
		if ex.Response.Status != 301 || i < 0 || string(ex.Response.Fields[i].Value) != want {
			t.Errorf("%s: %d %q; want 301 to %s", target, ex.Response.Status, fieldList(ex.Response.Fields), want)
		}
	}
	f("/flask", "/flask/")
	f("/flask?a=%20b&c", "/flask/?a=%20b&c")
	f("//evil.test/../flask", "/flask/")
	f("/caf%c3%a9%20bar", "/caf%C3%A9%20bar/")
	if _, got := ask(t, rt, "0.0.0.0:80", "h", "/static"); got != " /" {
		t.Errorf("/static: %q; want no redirect, as for all files", got)
	}
}

func TestRouterFillsExchange(t *testing.T) {
	s := server(t, "80", "example.test,www.example.test", "/app")
	s.Locations[0].ScriptName, s.Locations[0].Root = "/app", "/srv/root"
	s.Locations[0].UWSGIParam = map[string]string{"B": "2", "A": "1"}
	s.Locations[0].HTTP.ClientMaxBodySize = 7
	s.HTTP.SetRealIPFrom = peers("10.0.0.0/8")
	rt, err := NewRouter([]*config.Server{s}, tell)
	if err != nil {
		t.Fatal(err)
	}
	run := newRun(rt.Guard("0.0.0.0:80"))
	run.readString(t, r("GET /app/x HTTP/1.1\nHost: www.example.test\nX-Forwarded-For: 192.0.2.1"))
	run.ex.Remote = netip.MustParseAddrPort("10.1.1.1:1")
	loc, err := rt.Route("0.0.0.0:80", &run.ex, &run.hd)
	if err != nil {
		t.Fatal(err)
	}
	ex := &run.ex
	if ex.ServerName != "example.test" || ex.DocumentRoot != "/srv/root" || ex.ScriptName != "/app" || ex.Remote.Addr().String() != "192.0.2.1" ||
		!slices.Equal(fieldList(ex.Params), []string{"A=1", "B=2"}) || loc.HTTP.ClientMaxBodySize != 7 {
		t.Errorf("ServerName %q, DocumentRoot %q, ScriptName %q, Remote %v, Params %q, limit %d",
			ex.ServerName, ex.DocumentRoot, ex.ScriptName, ex.Remote, fieldList(ex.Params), loc.HTTP.ClientMaxBodySize)
	}
}

func TestRouterAnswersForServer(t *testing.T) {
	rt, err := NewRouter([]*config.Server{server(t, "80", "h", "/only")}, tell)
	if err != nil {
		t.Fatal(err)
	}
	run := newRun(rt.Guard("0.0.0.0:80"))
	run.readString(t, r("OPTIONS * HTTP/1.1\nHost: h"))
	loc, err := rt.Route("0.0.0.0:80", &run.ex, &run.hd)
	if err != nil {
		t.Fatal(err)
	}
	if err := loc.Handler(&run.ex); err != nil || run.ex.Response.Status != 200 || fieldList(run.ex.Response.Fields)[0] != "Allow="+serverMethods {
		t.Errorf("OPTIONS *: %v, %d %q", err, run.ex.Response.Status, fieldList(run.ex.Response.Fields))
	}
}

// What applies before the host is known is the default server's, else the first one's.
func TestRouterLimitsOfSocket(t *testing.T) {
	first, second, third := server(t, "80,81", "a"), server(t, "80 default_server", "b"), server(t, "81", "c")
	first.HTTP.MaxHeaders, second.HTTP.MaxHeaders, third.HTTP.MaxHeaders = 1, 2, 3
	rt, err := NewRouter([]*config.Server{first, second, third}, tell)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]int{"0.0.0.0:80": 2, "0.0.0.0:81": 1, "0.0.0.0:82": config.Default().HTTP.MaxHeaders} {
		if rt.HTTP(addr).MaxHeaders != want || rt.Guard(addr).cfg.MaxFields != want {
			t.Errorf("%s: max_headers %d, guard %d; want %d", addr, rt.HTTP(addr).MaxHeaders, rt.Guard(addr).cfg.MaxFields, want)
		}
	}
}

func TestNewRouterErrors(t *testing.T) {
	f := func(want string, build Build, servers ...*config.Server) {
		t.Helper()
		if _, err := NewRouter(servers, build); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want an error with %q", err, want)
		}
	}
	f(`"a" is there twice`, tell, server(t, "80", "a"), server(t, "80", "b,a"))
	f("two default servers", tell, server(t, "80 default_server", "a"), server(t, "80 default_server", "b"))
	f(`location "/x" of server "a": no such app`, func(*config.Server, *config.Location) (exchange.Handler, error) {
		return nil, errors.New("no such app")
	}, server(t, "80", "a", "/x"))
}
