package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// PassKind says what a Pass leads to.
type PassKind string

// Kinds of Pass. The empty kind means that the location passes nothing on.
const (
	PassApp   PassKind = "app"   // an application of this configuration
	PassUWSGI PassKind = "uwsgi" // somebody else's uwsgi server
)

// Pass is where a location hands its requests: "app:NAME", "uwsgi://host:port" or "uwsgi://unix:/path".
type Pass struct {
	Kind    PassKind
	Network string // of a uwsgi server: "tcp" or "unix"; else empty
	Target  string // the app's name, "host:port", or an absolute path
}

// ParsePass reads the notation of the pass key.
func ParsePass(s string) (Pass, error) {
	const known = `write "app:NAME", "uwsgi://host:port" or "uwsgi://unix:/path"`
	if name, ok := strings.CutPrefix(s, "app:"); ok {
		if name == "" {
			return Pass{}, errors.New("the application's name is missing; " + known)
		}
		return Pass{Kind: PassApp, Target: name}, nil
	}
	if target, ok := strings.CutPrefix(s, "uwsgi://"); ok {
		return parseUWSGITarget(target)
	}
	for _, scheme := range []string{"http:", "https:", "fastcgi:", "scgi:", "grpc:", "upstream:"} {
		if strings.HasPrefix(s, scheme) {
			return Pass{}, fmt.Errorf("%q: this version does not pass to %s servers; %s", shorten(s), strings.TrimSuffix(scheme, ":"), known)
		}
	}
	return Pass{}, fmt.Errorf("%q does not say what to pass to; %s", shorten(s), known)
}

// parseUWSGIPass reads nginx's uwsgi_pass: the target with or without its scheme.
func parseUWSGIPass(s string) (Pass, error) {
	return parseUWSGITarget(strings.TrimPrefix(s, "uwsgi://"))
}

func parseUWSGITarget(s string) (Pass, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if strings.HasPrefix(path, "//") { // unix:///run/x.sock
			path = path[2:]
		}
		l, err := parseUnix(path)
		return Pass{PassUWSGI, l.Network, l.Address}.orNone(err)
	}
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || n == 0 || !isHost(host) {
		return Pass{}, fmt.Errorf("%q is not the address of a uwsgi server; write \"host:port\" or \"unix:/path\"", shorten(s))
	}
	return Pass{PassUWSGI, "tcp", net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10))}, nil
}

// orNone returns the pass, or the zero Pass with an error.
func (p Pass) orNone(err error) (Pass, error) {
	if err != nil {
		return Pass{}, err
	}
	return p, nil
}

// isHost reports whether s is an IP address or could be a DNS name.
func isHost(s string) bool {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Zone() == ""
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isBare(c) {
				return false
			}
		}
	}
	return len(s) <= 253
}

// String returns the notation that ParsePass reads, "" for the zero Pass.
func (p Pass) String() string {
	switch {
	case p.Kind == PassApp:
		return "app:" + p.Target
	case p.Kind == PassUWSGI && p.Network == "unix":
		return "uwsgi://unix:" + p.Target
	case p.Kind == PassUWSGI:
		return "uwsgi://" + p.Target
	}
	return ""
}

// reaches reports whether a uwsgi pass leads to the given listening socket.
func (p Pass) reaches(l Listen) bool {
	if p.Kind != PassUWSGI || l.Network == "" {
		return false
	}
	if p.Network == "unix" || l.Network == "unix" {
		return p.Network == l.Network && p.Target == l.Address
	}
	to, err := netip.ParseAddrPort(strings.Replace(p.Target, "localhost:", "127.0.0.1:", 1))
	if err != nil {
		return false
	}
	at, err := netip.ParseAddrPort(l.Address)
	return err == nil && to.Port() == at.Port() &&
		(to.Addr() == at.Addr() || at.Addr().IsUnspecified() && to.Addr().IsLoopback() && to.Addr().Is4() == at.Addr().Is4())
}

func (p *Pass) decode(v any) error {
	s, ok := v.(string)
	if !ok {
		return expected("what to pass to", `"app:blog"`, v)
	}
	if s == "" {
		return nil
	}
	parsed, err := ParsePass(s)
	*p = parsed
	return err
}
