package listen

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inode tells the file that we made from another one at its path.
type inode struct{ dev, ino uint64 }

func (i inode) known() bool { return i != inode{} }

// inodeOf returns the identity of what is at path, the zero value for nothing.
func inodeOf(path string) inode {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return inode{}
	}
	return inode{st.Dev, st.Ino}
}

func openUnix(spec Spec) (*Socket, error) {
	if err := removeStale(spec.Address); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s := &Socket{Spec: spec, file: os.NewFile(uintptr(fd), spec.Key)}
	if err := s.bindUnix(fd); err != nil {
		s.Vacuum = true
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// bindUnix makes the path with nobody allowed to connect, sets who may, and listens only then. The mode of the socket before bind
// is what bind gives the file (less the umask), which leaves no moment with wider permissions.
func (s *Socket) bindUnix(fd int) error {
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: s.Address}); err != nil {
		return err
	}
	s.inode = inodeOf(s.Address)
	if err := permit(s.Spec); err != nil {
		return err
	}
	return unix.Listen(fd, s.Backlog)
}

// permit sets owner and mode of a Unix socket (uWSGI: chown-socket, chmod-socket).
func permit(spec Spec) error {
	if spec.UID >= 0 || spec.GID >= 0 {
		if err := os.Lchown(spec.Address, spec.UID, spec.GID); err != nil {
			return fmt.Errorf("cannot set the owner of the socket: %w", err)
		}
	}
	if err := os.Chmod(spec.Address, spec.Mode); err != nil {
		return fmt.Errorf("cannot set the mode of the socket: %w", err)
	}
	return nil
}

// removeStale removes a Unix socket that a process left behind. It removes nothing else: no file that is
// not a socket, and no socket on which someone listens.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode().Type() != os.ModeSocket {
		return errors.New("there is a file with that name, which is not a socket; remove it, or listen elsewhere")
	}
	switch err := probe(path); {
	case err == nil:
		return errors.New("another program listens there (ss -lxp shows which)")
	case errors.Is(err, unix.ECONNREFUSED):
		return os.Remove(path)
	default:
		return fmt.Errorf("cannot tell whether another program listens there: %w", err)
	}
}

// probe connects to a Unix socket and hangs up.
func probe(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, unix.EAGAIN) { // its backlog is full: someone listens
		return nil
	}
	return err
}
