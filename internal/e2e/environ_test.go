package e2e

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// facts is what testdata/apps/facts.py answers.
type facts struct {
	Environ       map[string]any `json:"environ"`
	EnvironIsDict bool           `json:"environ_is_dict"`
	NativeStrings bool           `json:"native_strings"`
	Process       struct {
		PID, Thread, User, Group, Umask int
		Groups                          []int
		CWD, Version, Executable        string
		Prefix                          string
		BasePrefix                      string `json:"base_prefix"`
		Path, Argv                      []string
		Env                             map[string]string
		Descriptors                     []int
	} `json:"process"`
}

// wantEnviron compares all of an environ. Values that differ from run to run are
// given as patterns, "~" and a regular expression.
func wantEnviron(t *testing.T, got facts, want map[string]any) {
	t.Helper()
	if !got.EnvironIsDict || !got.NativeStrings {
		t.Errorf("environ is a plain dict: %t, its keys are native strings: %t; want both", got.EnvironIsDict, got.NativeStrings)
	}
	keys := map[string]bool{}
	for key := range got.Environ {
		keys[key] = true
	}
	for key := range want {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value, there := got.Environ[key]
		wanted, expected := want[key]
		switch {
		case !there:
			t.Errorf("environ lacks %s = %#v", key, wanted)
		case !expected:
			t.Errorf("environ has %s = %#v, which nobody expects", key, value)
		case !matches(value, wanted):
			t.Errorf("environ has %s = %#v; want %#v", key, value, wanted)
		}
	}
}

func matches(value, wanted any) bool {
	if pattern, ok := wanted.(string); ok && strings.HasPrefix(pattern, "~") {
		text, ok := value.(string)
		return ok && regexp.MustCompile("^(?:"+pattern[1:]+")$").MatchString(text)
	}
	a, _ := json.Marshal(value)
	b, _ := json.Marshal(wanted)
	return string(a) == string(b)
}

// with returns a copy of base with the changes applied; a value of nil removes its key.
func with(base, changes map[string]any) map[string]any {
	result := maps.Clone(base)
	for key, value := range changes {
		if value == nil {
			delete(result, key)
			continue
		}
		result[key] = value
	}
	return result
}

// TestEnviron holds every key and every value that an application sees to PEP 3333, RFC 3875 and
// nginx's uwsgi_params, on a mounted and an unmounted application.
func TestEnviron(t *testing.T) {
	s := start(t, site{
		module: "facts:app",
		server: `server_name = ["example.test", ""]`,
		more: `
[[server.location]]
path = "/flask"
pass = "app:facts"
script_name = "/flask"
uwsgi_param = { SITE_NAME = "a site", REMOTE_USER = "somebody" }

[[server]]
listen = ["$TLS ssl"]
server_name = ["localhost"]
certificate = { cert = "$CERT", key = "$KEY" }

[[server.location]]
path = "/"
pass = "app:facts"
`}.String())
	http, port := s.address("$HTTP"), strings.TrimPrefix(s.address("$HTTP"), "127.0.0.1:")
	base := map[string]any{
		"REQUEST_METHOD":    "GET",
		"REQUEST_URI":       "/",
		"QUERY_STRING":      "",
		"SCRIPT_NAME":       "",
		"PATH_INFO":         "/",
		"SERVER_PROTOCOL":   "HTTP/1.1",
		"REQUEST_SCHEME":    "http",
		"REQUEST_ID":        "~[0-9a-f]{32}",
		"REMOTE_ADDR":       "127.0.0.1",
		"REMOTE_PORT":       "~[0-9]+",
		"SERVER_NAME":       "example.test",
		"SERVER_PORT":       port,
		"HTTP_HOST":         "example.test",
		"wsgi.version":      []int{1, 0},
		"wsgi.url_scheme":   "http",
		"wsgi.input":        "<object>",
		"wsgi.errors":       "<object>",
		"wsgi.multithread":  false,
		"wsgi.multiprocess": false,
		"wsgi.run_once":     false,
		"wsgi.file_wrapper": "<callable>",
		// gunicorn and Werkzeug know this one: the input ends where the body does.
		"wsgi.input_terminated": true,
	}
	ask := func(t *testing.T, address, request string) facts {
		t.Helper()
		c := dial(t, address)
		c.send(request)
		return decode[facts](t, c.read("GET"))
	}

	t.Run("plain", func(t *testing.T) {
		got := ask(t, http, "GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
		wantEnviron(t, got, base)
	})
	t.Run("everything", func(t *testing.T) {
		got := ask(t, http, "POST /caf%E9/%C3%A9//a%20b/./x/../y%2Fz?q=%20a+b&c=\xe9 HTTP/1.1\r\n"+
			"Host: EXAMPLE.test:8080\r\nX-One: 1\r\nAccept: */*\r\nx-oNE: 2\r\nCookie: a=1\r\nCookie: b=2\r\n"+
			"X-Latin: caf\xe9\r\nContent-Type: text/x; a=b\r\nContent-Length: 2\r\nX-Empty:\r\n\r\nhi")
		wantEnviron(t, got, with(base, map[string]any{
			"REQUEST_METHOD": "POST",
			"REQUEST_URI":    "/caf%E9/%C3%A9//a%20b/./x/../y%2Fz?q=%20a+b&c=\u00e9",
			"QUERY_STRING":   "q=%20a+b&c=\u00e9",
			"PATH_INFO":      "/caf\u00e9/\u00c3\u00a9/a b/y/z",
			"HTTP_HOST":      "EXAMPLE.test:8080",
			"HTTP_X_ONE":     "1, 2",
			"HTTP_ACCEPT":    "*/*",
			"HTTP_COOKIE":    "a=1; b=2",
			"HTTP_X_LATIN":   "caf\u00e9",
			"HTTP_X_EMPTY":   "",
			"CONTENT_TYPE":   "text/x; a=b",
			"CONTENT_LENGTH": "2",
		}))
	})
	t.Run("dropped", func(t *testing.T) {
		got := ask(t, http, "GET / HTTP/1.1\r\nHost: example.test\r\nProxy: http://evil/\r\nX_Under: evil\r\n"+
			"Connection: keep-alive, X-Listed\r\nX-Listed: gone\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"+
			"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\r\n")
		wantEnviron(t, got, base)
	})
	t.Run("chunked", func(t *testing.T) {
		got := ask(t, http, "POST / HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
		wantEnviron(t, got, with(base, map[string]any{"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "5"}))
	})
	t.Run("http 1.0", func(t *testing.T) {
		got := ask(t, http, "GET / HTTP/1.0\r\n\r\n")
		wantEnviron(t, got, with(base, map[string]any{"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_HOST": nil}))
	})
	t.Run("absolute form", func(t *testing.T) {
		got := ask(t, http, "GET http://example.test/a?b HTTP/1.1\r\nHost: example.test\r\n\r\n")
		wantEnviron(t, got, with(base, map[string]any{"REQUEST_URI": "/a?b", "PATH_INFO": "/a", "QUERY_STRING": "b"}))
	})
	t.Run("mounted", func(t *testing.T) {
		mounted := with(base, map[string]any{
			"REQUEST_URI": "/flask/a%20b?c", "QUERY_STRING": "c", "SCRIPT_NAME": "/flask", "PATH_INFO": "/a b",
			"SITE_NAME": "a site", "REMOTE_USER": "somebody",
		})
		got := ask(t, http, "GET /flask/a%20b?c HTTP/1.1\r\nHost: example.test\r\n\r\n")
		wantEnviron(t, got, mounted)
		got = ask(t, http, "GET /flask HTTP/1.1\r\nHost: example.test\r\n\r\n")
		wantEnviron(t, got, with(mounted, map[string]any{"REQUEST_URI": "/flask", "QUERY_STRING": "", "PATH_INFO": ""}))
		// A name that merely begins like the mount is another path.
		got = ask(t, http, "GET /flasks HTTP/1.1\r\nHost: example.test\r\n\r\n")
		wantEnviron(t, got, with(base, map[string]any{"REQUEST_URI": "/flasks", "PATH_INFO": "/flasks"}))
	})
	t.Run("tls", func(t *testing.T) {
		got := decode[facts](t, s.getTLS("/secure"))
		wantEnviron(t, got, with(base, map[string]any{
			"REQUEST_URI": "/secure", "PATH_INFO": "/secure", "HTTPS": "on", "REQUEST_SCHEME": "https", "wsgi.url_scheme": "https",
			"SERVER_NAME": "localhost", "SERVER_PORT": strings.TrimPrefix(s.address("$TLS"), "127.0.0.1:"),
			"HTTP_HOST": strings.Replace(s.address("$TLS"), "127.0.0.1", "localhost", 1), "HTTP_USER_AGENT": "Go-http-client/1.1",
		}))
	})
}
