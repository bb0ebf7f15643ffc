package uwsgi

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"hognose/internal/exchange"
)

func fields(kv ...string) []exchange.Field {
	var fs []exchange.Field
	for i := 0; i < len(kv); i += 2 {
		fs = append(fs, exchange.Field{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return fs
}

func build(t *testing.T, ex *exchange.Exchange, n int64) map[string]string {
	t.Helper()
	p, err := AppendRequest(nil, ex, n)
	if err != nil {
		t.Fatal(err)
	}
	vars, err := Parse(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, v := range vars {
		m[string(v.Name)] = string(v.Value)
	}
	return m
}

func TestAppendRequest(t *testing.T) {
	ex := &exchange.Exchange{
		Method: []byte("POST"), Target: []byte("/app/a%20b?x=1"), Path: []byte("/app/a b"), Query: []byte("x=1"),
		Host: []byte("example.com"), Authority: []byte("example.com:8443"), Proto: exchange.HTTP11,
		Fields: fields("Cookie", "a=1", "X-Two", "1", "cookie", "b=2", "x-two", "2", "Content-Type", "text/plain"),
		Remote: netip.MustParseAddrPort("[::ffff:192.0.2.1]:5000"), Local: netip.MustParseAddrPort("127.0.0.1:8443"),
		Scheme: "https", ServerName: "example.com", ScriptName: "/app", ID: []byte("0123"),
		Params: fields("SERVER_NAME", "override", "EXTRA", "yes", "HTTP_X_TWO", "mine"),
	}
	got := build(t, ex, 12)
	want := map[string]string{
		"REQUEST_METHOD": "POST", "REQUEST_URI": "/app/a%20b?x=1", "QUERY_STRING": "x=1", "SCRIPT_NAME": "/app",
		"PATH_INFO": "/a b", "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_SCHEME": "https", "HTTPS": "on", "REQUEST_ID": "0123",
		"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "12", "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "5000",
		"SERVER_NAME": "override", "SERVER_PORT": "8443", "HTTP_HOST": "example.com:8443", "HTTP_COOKIE": "a=1; b=2",
		"HTTP_X_TWO": "mine", "EXTRA": "yes",
	}
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Errorf("%s = %q; want %q", k, g, v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("unexpected variable %s = %q", k, got[k])
		}
	}
}

func TestTooLarge(t *testing.T) {
	ex := &exchange.Exchange{Fields: fields("X", strings.Repeat("v", 40000), "X", strings.Repeat("v", 40000))}
	dst := []byte("before")
	out, err := AppendRequest(dst, ex, -1)
	if !errors.Is(err, ErrTooLarge) || string(out) != "before" {
		t.Fatalf("got %q, %v; want the input back and ErrTooLarge", out, err)
	}
}

func TestSplitPath(t *testing.T) {
	f := func(script, path, wantScript, wantInfo string) {
		t.Helper()
		s, p := SplitPath(script, []byte(path))
		if s != wantScript || string(p) != wantInfo {
			t.Errorf("SplitPath(%q, %q) = %q, %q; want %q, %q", script, path, s, p, wantScript, wantInfo)
		}
	}
	f("", "/a", "", "/a")
	f("/flask", "/flask/a", "/flask", "/a")
	f("/flask", "/flask", "/flask", "")
	f("/flask", "/flaskx", "", "/flaskx")
	f("/flask", "/", "", "/")
}

func TestParseRefuses(t *testing.T) {
	f := func(name string, p []byte) {
		t.Helper()
		if vars, err := Parse(nil, p); err == nil {
			t.Errorf("%s: Parse accepted %q as %v", name, p, vars)
		} else if len(vars) != 0 {
			t.Errorf("%s: Parse returned variables with the error %v", name, err)
		}
	}
	f("short header", []byte{0, 0, 0})
	f("modifier1", []byte{5, 0, 0, 0})
	f("modifier2", []byte{0, 0, 0, 1})
	f("size too large", []byte{0, 5, 0, 0})
	f("trailing bytes", []byte{0, 0, 0, 0, 1})
	f("key length lies", []byte{0, 3, 0, 0, 9, 0, 'a'})
	f("value length lies", []byte{0, 6, 0, 0, 1, 0, 'a', 9, 0, 'b'})
	f("value missing", []byte{0, 3, 0, 0, 1, 0, 'a'})
	f("empty key", []byte{0, 5, 0, 0, 0, 0, 1, 0, 'b'})
	f("nul in key", []byte{0, 6, 0, 0, 1, 0, 0, 1, 0, 'b'})
	for _, key := range []string{"UWSGI_FILE", "UWSGI_SETENV"} {
		p, _ := AppendPacket(nil, fields(key, "x"))
		f(key, p)
	}
	p, _ := AppendPacket(nil, fields("A", "1", "B", "2", "A", "3"))
	f("repeated key", p)
	p, _ = AppendPacket(nil, fields("HTTP_HOST", "a", "HTTP_HOST", "b"))
	f("repeated host", p)
	var many []string
	for i := range 100 {
		many = append(many, strings.Repeat("K", i+1), "v")
	}
	p, _ = AppendPacket(nil, fields(append(many, "K", "again")...))
	f("repeated key among many", p)
}

func TestParseRepeatedFields(t *testing.T) {
	p, _ := AppendPacket(nil, fields("HTTP_COOKIE", "a=1", "HTTP_COOKIE", "b=2"))
	if vars, err := Parse(nil, p); err != nil || len(vars) != 2 {
		t.Errorf("two Cookie fields of nginx 1.22 gave %q, %v", vars, err)
	}
}

func FuzzParse(f *testing.F) {
	p, _ := AppendPacket(nil, fields("REQUEST_METHOD", "GET", "PATH_INFO", "/"))
	f.Add(p)
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 6, 0, 0, 1, 0, 'a', 1, 0, 'b'})
	f.Fuzz(func(t *testing.T, p []byte) {
		vars, err := Parse(nil, p)
		if err != nil {
			return
		}
		again, err := AppendPacket(nil, vars)
		if err != nil || !bytes.Equal(again, p) {
			t.Fatalf("Parse then AppendPacket gave %q, %v; want %q", again, err, p)
		}
	})
}
