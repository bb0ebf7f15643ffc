package proxy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"hognose/internal/config"
)

func peers(prefixes ...string) config.Peers {
	var p config.Peers
	for _, s := range prefixes {
		if s == "unix:" {
			p.Unix = true
		} else {
			p.Prefixes = append(p.Prefixes, netip.MustParsePrefix(s))
		}
	}
	return p
}

// forward applies a Forwarder to a request with the given header lines from a peer; "" is a Unix socket.
func forward(t *testing.T, trusted config.Peers, peer, lines string) *guardRun {
	t.Helper()
	run := newRun(testGuard())
	run.readString(t, r("GET / HTTP/1.1\nHost: h\nX-First: 1\n"+lines+"\nX-Last: 2"))
	run.ex.Scheme = "http"
	if peer != "" {
		run.ex.Remote = netip.AddrPortFrom(netip.MustParseAddr(peer), 1234)
	}
	NewForwarder(trusted).Apply(&run.ex, &run.hd)
	return run
}

func TestForwarderTrustsNobody(t *testing.T) {
	for _, trusted := range []config.Peers{{}, peers("10.0.0.0/8"), peers("unix:")} {
		run := forward(t, trusted, "192.0.2.1", "X-Forwarded-For: 1.1.1.1\nx-forwarded-proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 1\n"+
			"X-Forwarded-Prefix: /e\nX-Forwarded-Ssl: on\nX-Forwarded-User: root\nForwarded: for=1.1.1.1\nX-Real-Ip: 1.1.1.1\nX-Client-Cert: c\n"+
			"X-Client-Cert-DN: c\nX-SSL-Client-Verify: SUCCESS\nSSL-Client-S-DN: c\nClient-Cert: c\nClient-Cert-Chain: c\nX-Forwarde: kept\n"+
			"X-Forwarded-"+strings.Repeat("x", 100)+": y")
		want := []string{"X-First=1", "X-Forwarde=kept", "X-Last=2"}
		if got := fieldList(run.ex.Fields); !slices.Equal(got, want) {
			t.Errorf("trusting %v: Fields = %q; want %q", trusted, got, want)
		}
		if run.ex.Remote.String() != "192.0.2.1:1234" || run.ex.Scheme != "http" {
			t.Errorf("trusting %v: Remote %v, Scheme %q; want those of the socket", trusted, run.ex.Remote, run.ex.Scheme)
		}
	}
}

func TestForwarderClient(t *testing.T) {
	trusted := peers("10.0.0.0/8", "2001:db8::/32", "unix:")
	f := func(peer, line, want string) {
		t.Helper()
		run := forward(t, trusted, peer, "X-Forwarded-For: "+line)
		if got := run.ex.Remote.Addr().String(); got != want {
			t.Errorf("%q from %q: client %s; want %s", line, peer, got, want)
		}
		if got, want := fieldList(run.ex.Fields), []string{"X-First=1", "X-Forwarded-For=" + want, "X-Last=2"}; !slices.Equal(got, want) {
			t.Errorf("%q from %q: Fields = %q; want %q", line, peer, got, want)
		}
	}
	f("10.1.1.1", "192.0.2.7", "192.0.2.7")
	f("10.1.1.1", "6.6.6.6, 192.0.2.7", "192.0.2.7")
	f("10.1.1.1", "6.6.6.6,192.0.2.7,10.2.2.2 , 10.3.3.3", "192.0.2.7")
	f("10.1.1.1", "10.2.2.2, 10.3.3.3", "10.2.2.2")
	f("10.1.1.1", "6.6.6.6\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-For: 10.2.2.2", "192.0.2.7")
	f("10.1.1.1", "192.0.2.7:4711", "192.0.2.7")
	f("10.1.1.1", "2001:db9::1", "2001:db9::1")
	f("10.1.1.1", "[2001:db9::1]", "2001:db9::1")
	f("10.1.1.1", "[2001:DB9::1]:80", "2001:db9::1")
	f("10.1.1.1", "192.0.2.7, 2001:db8::5", "192.0.2.7")
	f("10.1.1.1", "::ffff:192.0.2.7", "192.0.2.7")
	f("10.1.1.1", "192.0.2.7, ::ffff:10.4.4.4", "192.0.2.7")
	f("::ffff:10.1.1.1", "192.0.2.7", "192.0.2.7")
	f("", "192.0.2.7", "192.0.2.7")
	// What is no address ends the walk.
	f("10.1.1.1", "192.0.2.7, unknown, 10.2.2.2", "10.2.2.2")
	f("10.1.1.1", "192.0.2.7,, 10.2.2.2", "10.2.2.2")
	f("10.1.1.1", "192.0.2.7,", "10.1.1.1")
	f("10.1.1.1", "unknown", "10.1.1.1")
	f("10.1.1.1", "192.0.2.7:99999", "10.1.1.1")
	f("10.1.1.1", "192.0.2.7x", "10.1.1.1")
	f("10.1.1.1", "[192.0.2.7", "10.1.1.1")
	f("10.1.1.1", "fe80::1%eth0", "10.1.1.1")
	f("10.1.1.1", "6.6.6.6"+strings.Repeat(", 10.9.9.9", 32), "10.9.9.9")
	f("10.1.1.1", "6.6.6.6"+strings.Repeat(", 10.9.9.9", 31), "6.6.6.6")
}

func TestForwarderTrusted(t *testing.T) {
	run := forward(t, peers("10.0.0.0/8"), "10.1.1.1", "X-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 192.0.2.7\nX-Real-IP: 6.6.6.6\nX-Forwarded-Proto: http, HTTPS\n"+
		"X-Forwarded-Host: example.com\nX-Forwarded-User: joe")
	want := []string{"X-First=1", "X-Forwarded-For=192.0.2.7", "X-Real-IP=192.0.2.7", "X-Forwarded-Proto=HTTPS", "X-Forwarded-Host=example.com", "X-Forwarded-User=joe", "X-Last=2"}
	if got := fieldList(run.ex.Fields); !slices.Equal(got, want) {
		t.Errorf("Fields = %q; want %q", got, want)
	}
	if run.ex.Scheme != "https" || run.ex.Remote.String() != "192.0.2.7:0" {
		t.Errorf("Scheme %q, Remote %v; want https, 192.0.2.7:0", run.ex.Scheme, run.ex.Remote)
	}
	run = forward(t, peers("10.0.0.0/8"), "10.1.1.1", "X-Forwarded-Proto: gopher")
	if run.ex.Scheme != "http" || len(run.ex.Fields) != 2 {
		t.Errorf("Scheme %q, Fields %q; want http and no X-Forwarded-Proto", run.ex.Scheme, fieldList(run.ex.Fields))
	}
	run = forward(t, peers("unix:"), "", "X-Real-IP: 6.6.6.6")
	if run.ex.Remote.IsValid() || len(run.ex.Fields) != 2 {
		t.Errorf("Remote %v, Fields %q; want a Unix peer and no X-Real-IP", run.ex.Remote, fieldList(run.ex.Fields))
	}
}
