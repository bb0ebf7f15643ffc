package wire

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Socketpair returns two connected close-on-exec Unix sockets of the given type
// (unix.SOCK_SEQPACKET or unix.SOCK_STREAM), blocking, named for error messages.
func Socketpair(typ int, name string) (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create the %s socket: %w", name, err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}

// maxFDs is the most descriptors one message may carry; the kernel's own limit is 253.
const maxFDs = 64

// sendMsg sends one message with descriptors on a socket.
func sendMsg(fd int, data []byte, files []*os.File) error {
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	for {
		_, err := unix.SendmsgN(fd, data, oob, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ParseRights turns the control data of a received message into descriptors, which the caller owns.
func ParseRights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	cmsgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("cannot read the control data of a message: %w", err)
	}
	var all []int
	for i := range cmsgs {
		if cmsgs[i].Header.Level != unix.SOL_SOCKET || cmsgs[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		fds, err := unix.ParseUnixRights(&cmsgs[i])
		if err != nil {
			return all, fmt.Errorf("cannot read the descriptors of a message: %w", err)
		}
		all = append(all, fds...)
	}
	return all, nil
}

// SendControl sends c with files on a control socket. It blocks while the socket is full.
func SendControl(sock *os.File, c Control, files ...*os.File) error {
	rc, err := sock.SyscallConn()
	if err != nil {
		return err
	}
	msg := AppendControl(nil, c)
	var serr error
	err = rc.Write(func(fd uintptr) bool {
		serr = sendMsg(int(fd), msg, files)
		return !errors.Is(serr, unix.EAGAIN)
	})
	if err == nil {
		err = serr
	}
	if err != nil {
		return fmt.Errorf("cannot send control message %d on %s: %w", c.Type, sock.Name(), err)
	}
	return nil
}

// RecvControl receives one message from a control socket; files are not expected and are closed.
// A closed peer gives io.EOF's errno-free form, os.ErrClosed never.
func RecvControl(sock *os.File, buf []byte) (Control, error) {
	n, err := sock.Read(buf)
	if err != nil {
		return Control{}, err
	}
	return ParseControl(buf[:n])
}
