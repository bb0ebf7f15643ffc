package master

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// controlPatience bounds how long the event loop waits for room in a control socket. It has room for
// hundreds of messages: who reads none of them is stuck.
const controlPatience = 100 * time.Millisecond

// control is the master's end of the control socket of a zygote or worker.
type control struct {
	sock *os.File
}

// newControl makes a control socket and returns both ends. received gets the peer's messages in the event loop, and closed
// is called there when the peer has closed its end or sent what nobody understands.
func (m *Master) newControl(name string, received func(*control, wire.Control), closed func(*control)) (*control, *os.File, error) {
	ours, peer, err := wire.Socketpair(unix.SOCK_SEQPACKET, name)
	if err != nil {
		return nil, nil, err
	}
	c := &control{}
	if c.sock, err = pollable(ours); err != nil {
		peer.Close()
		return nil, nil, err
	}
	m.spawn(func() {
		buf := make([]byte, wire.ControlLen+wire.MaxControlText+1)
		for {
			msg, err := wire.RecvControl(c.sock, buf)
			if err != nil {
				break
			}
			m.post(func() { received(c, msg) })
		}
		m.post(func() { closed(c) })
	})
	return c, peer, nil
}

// send sends a message with files, which stay the caller's. Where there is no control socket any more, it fails.
func (c *control) send(msg wire.Control, files ...*os.File) error {
	if c == nil {
		return os.ErrClosed
	}
	if err := c.sock.SetWriteDeadline(time.Now().Add(controlPatience)); err != nil {
		return err
	}
	return wire.SendControl(c.sock, msg, files...)
}

// close closes the master's end, which ends the peer if nothing else does.
func (c *control) close() {
	if c != nil {
		c.sock.Close()
	}
}

// pollable turns a blocking descriptor of ours into one that Go's poller waits for. It takes over f.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the %s: %w", f.Name(), err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot prepare the %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
