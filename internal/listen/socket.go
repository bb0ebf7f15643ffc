package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Spec says what to open.
type Spec struct {
	Key       string // how others name the socket
	Network   string // "tcp4", "tcp6" or "unix"
	Address   string // "127.0.0.1:80", "[::]:80" or an absolute path
	Backlog   int    // connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn
	ReusePort bool   // SO_REUSEPORT

	// Of Unix sockets:
	Mode     os.FileMode // permission bits
	UID, GID int         // owner; -1 leaves the process's own
	Vacuum   bool        // Close removes the path
}

// Socket is an open listening socket.
type Socket struct {
	Spec
	file  *os.File
	inode inode // of the path of a Unix socket that Open made
}

// Open opens a listening socket. The error says what to do about it.
func Open(spec Spec) (*Socket, error) {
	s, err := open(spec)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w%s", spec.Address, err, advice(spec, err))
	}
	return s, nil
}

func open(spec Spec) (*Socket, error) {
	if spec.Network == "unix" {
		return openUnix(spec)
	}
	return openTCP(spec)
}

func openTCP(spec Spec) (*Socket, error) {
	family, addr, err := sockaddr(spec)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	s := &Socket{Spec: spec, file: os.NewFile(uintptr(fd), spec.Key)}
	if err := bindTCP(fd, spec, family, addr); err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

func bindTCP(fd int, spec Spec, family int, addr unix.Sockaddr) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if spec.ReusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if family == unix.AF_INET6 { // nginx: ipv6only=on
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return err
		}
	}
	if err := unix.Bind(fd, addr); err != nil {
		return err
	}
	return unix.Listen(fd, spec.Backlog)
}

func sockaddr(spec Spec) (family int, addr unix.Sockaddr, err error) {
	ap, err := netip.ParseAddrPort(spec.Address)
	if err != nil {
		return 0, nil, err
	}
	if spec.Network == "tcp4" {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, nil
	}
	in6 := &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
	if zone := ap.Addr().Zone(); zone != "" {
		if in6.ZoneId, err = zoneIndex(zone); err != nil {
			return 0, nil, err
		}
	}
	return unix.AF_INET6, in6, nil
}

// File returns the socket's descriptor, which stays the Socket's.
func (s *Socket) File() *os.File { return s.file }

// Addr returns the address that the socket really has: the port where Address says 0.
func (s *Socket) Addr() string {
	if addr := boundAddress(int(s.file.Fd())); addr != "" {
		return addr
	}
	return s.Address
}

// Update applies what may change while the socket listens: backlog, and of Unix sockets mode, owner and vacuum.
func (s *Socket) Update(spec Spec) error {
	if err := unix.Listen(int(s.file.Fd()), spec.Backlog); err != nil {
		return fmt.Errorf("cannot set backlog=%d of %q: %w", spec.Backlog, s.Address, err)
	}
	if s.inode.known() && (spec.Mode != s.Mode || spec.UID != s.UID || spec.GID != s.GID) {
		if err := permit(spec); err != nil {
			return err
		}
	}
	spec.ReusePort = s.ReusePort
	s.Spec = spec
	return nil
}

// Close closes the descriptor. A Unix socket with Vacuum is removed, unless something else is at its path by now.
func (s *Socket) Close() error {
	if s.Vacuum && s.inode.known() && inodeOf(s.Address) == s.inode {
		if err := os.Remove(s.Address); err != nil {
			s.file.Close()
			return fmt.Errorf("cannot remove the socket: %w", err)
		}
	}
	return s.file.Close()
}

// Abandon closes the descriptor and leaves the path.
func (s *Socket) Abandon() { s.file.Close() }

// advice returns what to do about an error, as the end of a sentence.
func advice(spec Spec, err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE) && spec.Network != "unix":
		return "; another program listens there (ss -ltnp shows which)"
	case errors.Is(err, unix.EACCES) && spec.Network != "unix":
		return "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "; no interface of this machine has that address"
	case errors.Is(err, unix.EAFNOSUPPORT):
		return "; this machine has no IPv6"
	case errors.Is(err, unix.ENOENT):
		return "; create the directory first"
	case errors.Is(err, unix.EACCES):
		return "; the user that starts hognose may not write to the directory"
	}
	return ""
}
