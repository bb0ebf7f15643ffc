package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	f := func(s string, want time.Duration, text string) {
		t.Helper()
		d, err := ParseDuration(s)
		if err != nil || d.Std() != want || d.String() != text {
			t.Errorf("ParseDuration(%q) = %v (%s), %v; want %v (%s)", s, d.Std(), d, err, want, text)
		}
	}
	f("0", 0, "0s")
	f("0s", 0, "0s")
	f("30", 30*time.Second, "30s")
	f("30s", 30*time.Second, "30s")
	f("90s", 90*time.Second, "1m30s")
	f("1m30s", 90*time.Second, "1m30s")
	f("1h 30m", 90*time.Minute, "1h30m")
	f("500ms", 500*time.Millisecond, "500ms")
	f("1500ms", 1500*time.Millisecond, "1s500ms")
	f("1w", 7*24*time.Hour, "7d")
	f("1d1ms", 24*time.Hour+time.Millisecond, "1d1ms")

	bad := func(s string) {
		t.Helper()
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("ParseDuration(%q) = %v; want an error", s, d)
		}
	}
	for _, s := range []string{"", " ", "s", "-1s", "+1s", "1.5s", "1x", "1s1m", "1s1s", "1m 30", "1M", "1y", "30 s", "99999999999999999999s", "9223372036854775807w", "106751d106751d"} {
		bad(s)
	}
}

func TestSize(t *testing.T) {
	f := func(s string, want Size, text string) {
		t.Helper()
		n, err := ParseSize(s)
		if err != nil || n != want || n.String() != text {
			t.Errorf("ParseSize(%q) = %d (%s), %v; want %d (%s)", s, n, n, err, want, text)
		}
	}
	f("0", 0, "0")
	f("0k", 0, "0")
	f("512", 512, "512")
	f("1024", 1*KB, "1k")
	f("8k", 8*KB, "8k")
	f("8K", 8*KB, "8k")
	f("1m", 1*MB, "1m")
	f("1G", 1*GB, "1g")
	f("1536k", 1536*KB, "1536k")
	for _, s := range []string{"", "k", "-1", "1.5m", "8kb", "8 k", "1t", "9223372036854775807k", "99999999999999999999"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("ParseSize(%q) = %v; want an error", s, n)
		}
	}
}

func TestParseListen(t *testing.T) {
	f := func(s string, want Listen) {
		t.Helper()
		l, err := ParseListen(s)
		if err != nil || l != want {
			t.Errorf("ParseListen(%q) = %+v, %v; want %+v", s, l, err, want)
		}
		if again, err := ParseListen(l.String()); err != nil || again != l {
			t.Errorf("ParseListen(%q) = %+v, %v; want %+v", l.String(), again, err, l)
		}
	}
	f("80", Listen{Network: "tcp4", Address: "0.0.0.0:80"})
	f(":80", Listen{Network: "tcp4", Address: "0.0.0.0:80"})
	f("*:80", Listen{Network: "tcp4", Address: "0.0.0.0:80"})
	f("localhost:8000", Listen{Network: "tcp4", Address: "127.0.0.1:8000"})
	f("127.0.0.1:0", Listen{Network: "tcp4", Address: "127.0.0.1:0"})
	f("[::]:443 ssl", Listen{Network: "tcp6", Address: "[::]:443", SSL: true})
	f("[0:0::1]:443", Listen{Network: "tcp6", Address: "[::1]:443"})
	f("[::ffff:127.0.0.1]:80", Listen{Network: "tcp4", Address: "127.0.0.1:80"})
	f("unix:/run/a.sock uwsgi", Listen{Network: "unix", Address: "/run/a.sock", UWSGI: true})
	f("  1.2.3.4:5  ssl\tdefault_server backlog=7 reuseport ", Listen{"tcp4", "1.2.3.4:5", true, false, true, 7, true})
}

func TestParsePass(t *testing.T) {
	f := func(s string, want Pass, text string) {
		t.Helper()
		p, err := ParsePass(s)
		if err != nil || p != want || p.String() != text {
			t.Errorf("ParsePass(%q) = %+v (%s), %v; want %+v (%s)", s, p, p, err, want, text)
		}
	}
	f("app:blog", Pass{PassApp, "", "blog"}, "app:blog")
	f("uwsgi://127.0.0.1:3031", Pass{PassUWSGI, "tcp", "127.0.0.1:3031"}, "uwsgi://127.0.0.1:3031")
	f("uwsgi://[::1]:3031", Pass{PassUWSGI, "tcp", "[::1]:3031"}, "uwsgi://[::1]:3031")
	f("uwsgi://Back-end.example:03031", Pass{PassUWSGI, "tcp", "back-end.example:3031"}, "uwsgi://back-end.example:3031")
	f("uwsgi://unix:/run/a.sock", Pass{PassUWSGI, "unix", "/run/a.sock"}, "uwsgi://unix:/run/a.sock")
	f("uwsgi://unix:///run/a.sock", Pass{PassUWSGI, "unix", "/run/a.sock"}, "uwsgi://unix:/run/a.sock")
	if got := (Pass{}).String(); got != "" {
		t.Errorf("zero Pass is %q", got)
	}
}

func TestPassReaches(t *testing.T) {
	f := func(pass, socket string, want bool) {
		t.Helper()
		p, err := parseUWSGIPass(pass)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSocket(socket)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.reaches(s.Listen()); got != want {
			t.Errorf("%s reaches %s: %t; want %t", pass, socket, got, want)
		}
	}
	f("127.0.0.1:3031", "127.0.0.1:3031", true)
	f("localhost:3031", "127.0.0.1:3031", true)
	f("localhost:3031", ":3031", true)
	f("[::1]:3031", "[::]:3031", true)
	f("[::1]:3031", ":3031", false)
	f("127.0.0.1:3032", "127.0.0.1:3031", false)
	f("10.0.0.1:3031", ":3031", false)
	f("example.com:3031", ":3031", false)
	f("unix:/run/a.sock", "/run/a.sock", true)
	f("unix:/run/a.sock", "/run/b.sock", false)
	f("127.0.0.1:3031", "/run/a.sock", false)
}

func TestPeers(t *testing.T) {
	var p Peers
	if err := p.decode([]any{"10.0.0.0/8", "unix:", "2001:db8::/32", "::ffff:192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	f := func(addr string, want bool) {
		t.Helper()
		if got := p.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Contains(%s) = %t; want %t", addr, got, want)
		}
	}
	f("10.255.0.1", true)
	f("::ffff:10.255.0.1", true)
	f("11.0.0.1", false)
	f("192.0.2.1", true)
	f("192.0.2.2", false)
	f("2001:db8::1", true)
	f("2001:db9::1", false)
	if !p.Unix || (Peers{}).Contains(netip.MustParseAddr("10.0.0.1")) || (Peers{}).Contains(netip.Addr{}) {
		t.Error("unix: is not trusted, or the zero Peers trusts somebody")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"processes", "threads", "home", "user", "group", "listen", "server_name"}
	f := func(name, want string) {
		t.Helper()
		if got := nearest(name, known); got != want {
			t.Errorf("nearest(%q) = %q; want %q", name, got, want)
		}
	}
	f("proceses", "processes")
	f("thraeds", "threads")
	f("lisen", "listen")
	f("usr", "user")
	f("servername", "server_name")
	f("x", "")
	f("harakiri", "")
	f(strings.Repeat("processes", 10_000), "")
}

func TestLocationPathForms(t *testing.T) {
	f := func(s string, want LocationPath, text string) {
		t.Helper()
		p, err := ParseLocationPath(s)
		if err != nil || p != want || p.String() != text {
			t.Errorf("ParseLocationPath(%q) = %+v (%s), %v; want %+v (%s)", s, p, p, err, want, text)
		}
	}
	f("/", LocationPath{"/", false}, "/")
	f("/static", LocationPath{"/static", false}, "/static")
	f("/größe/", LocationPath{"/größe/", false}, "/größe/")
	f("= /", LocationPath{"/", true}, "= /")
	f("=/a.b", LocationPath{"/a.b", true}, "= /a.b")
	f("/100%", LocationPath{"/100%", false}, "/100%")
	f("/.well-known/", LocationPath{"/.well-known/", false}, "/.well-known/")
}
