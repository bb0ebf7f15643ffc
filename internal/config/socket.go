package config

import "strings"

// Socket is uWSGI's socket: where an application listens for the uwsgi protocol beside what the servers pass to it. The
// front listens there, with the guard and the limits of every other socket. The zero value is none.
type Socket struct {
	Network string // as in Listen
	Address string
}

// ParseSocket reads "host:port", ":port" or, without a colon, a path.
func ParseSocket(s string) (Socket, error) {
	var l Listen
	var err error
	if strings.Contains(s, ":") && !strings.HasPrefix(s, "/") {
		l, err = parseAddress(s)
	} else {
		l, err = parseUnix(s)
	}
	return Socket{l.Network, l.Address}, err
}

// Listen returns the listening socket, the zero Listen for none.
func (s Socket) Listen() Listen {
	if s.Network == "" {
		return Listen{}
	}
	return Listen{Network: s.Network, Address: s.Address, UWSGI: true, Backlog: DefaultBacklog}
}

// String returns the notation that ParseSocket reads.
func (s Socket) String() string { return s.Address }

func (s *Socket) decode(v any) error {
	text, ok := v.(string)
	if !ok {
		return expected("a path or address", `"/run/blog.sock" or "127.0.0.1:3031"`, v)
	}
	if text == "" {
		return nil
	}
	parsed, err := ParseSocket(text)
	*s = parsed
	return err
}
