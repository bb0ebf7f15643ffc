package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultBacklog is the length of a listening socket's queue of connections. The
// kernel cuts it to net.core.somaxconn.
const DefaultBacklog = 4096

// Listen is one listening socket with nginx's listen options.
// Several servers may name the same socket: after load all of them carry the same SSL, UWSGI, Backlog and ReusePort.
type Listen struct {
	Network string // "tcp4", "tcp6" (IPv6 only, as in nginx) or "unix", for net.Listen
	Address string // "127.0.0.1:80", "[::]:80" or an absolute path

	SSL           bool // TLS
	UWSGI         bool // clients speak the uwsgi protocol (nginx's uwsgi_pass), not HTTP
	DefaultServer bool // this server answers for names that no server on this socket has
	Backlog       int  // connections that may wait to be accepted
	ReusePort     bool // SO_REUSEPORT
}

// ParseListen reads nginx's listen: an address ("0.0.0.0:443", "[::]:80", ":80", "80", "unix:/run/blog.sock"), then options: ssl, uwsgi,
// default_server, backlog=N, reuseport. Without backlog=N, Backlog is 0.
func ParseListen(s string) (Listen, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return Listen{}, errors.New(`the address is empty; write "127.0.0.1:8080"`)
	}
	l, err := parseAddress(words[0])
	if err != nil {
		return Listen{}, err
	}
	for i, word := range words[1:] {
		for _, earlier := range words[1 : i+1] {
			if word == earlier {
				return Listen{}, fmt.Errorf("listen option %q comes twice", word)
			}
		}
		if err := l.option(word); err != nil {
			return Listen{}, err
		}
	}
	if l.SSL && l.UWSGI {
		return Listen{}, fmt.Errorf("%q has both ssl and uwsgi; the uwsgi protocol has no TLS", shorten(s))
	}
	return l, nil
}

func (l *Listen) option(word string) error {
	name, value, hasValue := strings.Cut(word, "=")
	switch {
	case name == "backlog" && hasValue:
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 65535 || l.Backlog != 0 {
			return fmt.Errorf("%q: backlog is one number between 1 and 65535, such as backlog=4096", shorten(word))
		}
		l.Backlog = n
	case word == "ssl":
		l.SSL = true
	case word == "uwsgi":
		l.UWSGI = true
	case word == "default_server":
		l.DefaultServer = true
	case word == "reuseport":
		l.ReusePort = true
	default:
		known := []string{"ssl", "uwsgi", "default_server", "backlog", "reuseport"}
		return fmt.Errorf("unknown listen option %q%s", shorten(word), didYouMean(name, known, "; known are ssl, uwsgi, default_server, backlog=N and reuseport"))
	}
	return nil
}

// parseAddress reads the address of a listening socket.
func parseAddress(s string) (Listen, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return parseUnix(path)
	}
	if digits(s) == len(s) {
		s = ":" + s
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return Listen{}, fmt.Errorf("%q has no port; write \"127.0.0.1:8080\", \"[::1]:8080\", \":8080\" or \"unix:/path\"", shorten(s))
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return Listen{}, fmt.Errorf("%q: the port is a number between 0 and 65535", shorten(s))
	}
	addr, err := parseHost(s[:i])
	if err != nil {
		return Listen{}, err
	}
	l := Listen{Network: "tcp6", Address: netip.AddrPortFrom(addr, uint16(port)).String()}
	if addr.Is4() {
		l.Network = "tcp4"
	}
	return l, nil
}

// parseHost reads the host of a listening address. As in nginx, none and "*" are all IPv4 addresses.
func parseHost(host string) (netip.Addr, error) {
	switch host {
	case "", "*":
		return netip.IPv4Unspecified(), nil
	case "localhost":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || addr.Is6() != bracketed {
		return netip.Addr{}, fmt.Errorf("%q is not an address to listen on; write an IPv4 address, an IPv6 address in brackets, "+
			"or nothing for all IPv4 addresses (names belong in server_name)", shorten(host))
	}
	return addr.Unmap(), nil
}

// parseUnix checks the path of a Unix socket. The limit is that of sun_path in unix(7).
func parseUnix(path string) (Listen, error) {
	const most = 107
	switch {
	case path == "":
		return Listen{}, errors.New(`the path of the Unix socket is missing; write "unix:/run/name.sock"`)
	case path[0] == '@':
		return Listen{}, fmt.Errorf("%q is an abstract socket, which has no permissions; write a path", shorten(path))
	case strings.ContainsAny(path, " \t\r\n") || hasControl(path):
		return Listen{}, fmt.Errorf("socket path %q has white space or control characters", shorten(path))
	case len(path) > most:
		return Listen{}, fmt.Errorf("socket path %q has %d bytes; the system allows %d", shorten(path), len(path), most)
	}
	return Listen{Network: "unix", Address: path}, nil
}

// Addr returns the address alone, in the notation of ParseListen.
func (l Listen) Addr() string {
	if l.Network == "unix" {
		return "unix:" + l.Address
	}
	return l.Address
}

// String returns the notation that ParseListen reads.
func (l Listen) String() string {
	s := l.Addr()
	if l.SSL {
		s += " ssl"
	}
	if l.UWSGI {
		s += " uwsgi"
	}
	if l.DefaultServer {
		s += " default_server"
	}
	if l.Backlog != 0 {
		s += " backlog=" + strconv.Itoa(l.Backlog)
	}
	if l.ReusePort {
		s += " reuseport"
	}
	return s
}

// sameSocket reports whether both name the same socket. Port 0 never does: the system picks a new port each time.
func (l Listen) sameSocket(other Listen) bool {
	return l.Network == other.Network && l.Address == other.Address && !l.ephemeral()
}

func (l Listen) ephemeral() bool { return l.Network != "unix" && strings.HasSuffix(l.Address, ":0") }

// covers reports whether l listens on all addresses of the port that the other one is on.
func (l Listen) covers(other Listen) bool {
	a, errA := netip.ParseAddrPort(l.Address)
	b, errB := netip.ParseAddrPort(other.Address)
	return l.Network == other.Network && errA == nil && errB == nil && a.Port() == b.Port() && a.Port() != 0 &&
		a.Addr().IsUnspecified() && !b.Addr().IsUnspecified()
}

func (l *Listen) decode(v any) error {
	switch v := v.(type) {
	case string:
		parsed, err := ParseListen(v)
		*l = parsed
		return err
	case int64:
		parsed, err := ParseListen(strconv.FormatInt(v, 10))
		*l = parsed
		return err
	}
	return expected("an address with options", `"0.0.0.0:443 ssl"`, v)
}
