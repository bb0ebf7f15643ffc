package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// MessageType says what a message between master and front is about.
type MessageType string

// Messages of the master to the front. Descriptors come in the order named.
const (
	// MsgConfig carries the effective configuration with its number Generation, the TLS certificates,
	// and Front, the generation of the front it goes to. It is the first message but for MsgLogs. The front swaps its routes.
	MsgConfig MessageType = "config"
	// MsgListeners carries one listening socket per entry of Listeners, the complete set: what is not in it is
	// closed. The first one starts the serving, which MsgReady answers; it comes after the apps.
	MsgListeners MessageType = "listeners"
	// MsgLogs carries the error log, then the access log when there is one.
	MsgLogs MessageType = "logs"
	// MsgApp announces generation Generation of App: the front's end of its queue, the workers' end, from which the front
	// takes back what nobody has received, and the scoreboard.
	MsgApp MessageType = "app"
	// MsgWorker announces worker Worker with PID of a generation: its stream.
	MsgWorker MessageType = "worker"
	// MsgActivate sends new requests of App to Generation from now on.
	MsgActivate MessageType = "activate"
	// MsgRetire asks for MsgRetired as soon as no request of that generation is under way.
	MsgRetire MessageType = "retire"
	// MsgStop stops the front: no new connections, what runs may finish within Timeout.
	MsgStop MessageType = "stop"
)

// Messages of the front to the master.
const (
	// MsgReady says that the front serves: configuration, listeners and apps have been taken over.
	MsgReady MessageType = "ready"
	// MsgApplied says that the configuration with number Generation is in force, or, with Error, that it is not.
	MsgApplied MessageType = "applied"
	// MsgRetired says that no request of Generation of App is under way any more.
	MsgRetired MessageType = "retired"
	// MsgKill asks to replace Worker with PID of App's Generation: its request ran into harakiri.
	MsgKill MessageType = "kill"
)

// Message is what master and front tell each other.
type Message struct {
	Type       MessageType
	App        string          `json:",omitempty"`
	Generation uint64          `json:",omitempty"`
	Front      uint32          `json:",omitempty"`
	Worker     int             `json:",omitempty"`
	PID        int             `json:",omitempty"`
	Listeners  []string        `json:",omitempty"` // keys, one per descriptor: config.Listen.Addr
	Timeout    int64           `json:",omitempty"` // nanoseconds
	Config     json.RawMessage `json:",omitempty"`
	// Certificates are PEM chains and keys, in the order in which the configuration names them.
	Certificates []Certificate `json:",omitempty"`
	Error        string        `json:",omitempty"`
}

// Certificate is a certificate chain and its key, read by the master: the front cannot.
type Certificate struct {
	CertFile, KeyFile string // where they were read, to find them again and for error messages
	CertPEM, KeyPEM   []byte
}

// inlineMessage is the size up to which a message travels in the socket; a larger one goes by memfd,
// since one datagram is limited by the socket buffer.
const inlineMessage = 32 << 10

// Conn carries messages with descriptors between master and front over a SOCK_SEQPACKET
// socket. Send may be called by several goroutines, Recv by one.
type Conn struct {
	sock *os.File
	mu   sync.Mutex // serialises Send
	buf  []byte
	oob  []byte
}

// NewConn takes over sock.
func NewConn(sock *os.File) (*Conn, error) {
	if err := unix.SetNonblock(int(sock.Fd()), true); err != nil {
		return nil, fmt.Errorf("cannot prepare %s: %w", sock.Name(), err)
	}
	fd, err := unix.FcntlInt(sock.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare %s: %w", sock.Name(), err)
	}
	name := sock.Name()
	sock.Close()
	return &Conn{
		sock: os.NewFile(uintptr(fd), name), // now known to be non-blocking: Go's poller waits for it
		buf:  make([]byte, inlineMessage+1),
		oob:  make([]byte, unix.CmsgSpace(maxFDs*4)),
	}, nil
}

// Send sends m with files, which stay the caller's. It blocks while the socket is full.
func (c *Conn) Send(m *Message, files ...*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot encode message %q: %w", m.Type, err)
	}
	kind := byte('j')
	if len(data) >= inlineMessage {
		f, err := memfile(data)
		if err != nil {
			return err
		}
		defer f.Close()
		kind, data, files = 'm', nil, append([]*os.File{f}, files...)
	}
	if len(files) > maxFDs {
		return fmt.Errorf("cannot send message %q with %d descriptors: at most %d", m.Type, len(files), maxFDs)
	}
	rc, err := c.sock.SyscallConn()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var serr error
	err = rc.Write(func(fd uintptr) bool {
		serr = sendMsg(int(fd), append([]byte{kind}, data...), files)
		return !errors.Is(serr, unix.EAGAIN)
	})
	if err == nil {
		err = serr
	}
	if err != nil {
		return fmt.Errorf("cannot send message %q: %w", m.Type, err)
	}
	return nil
}

func memfile(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("hognose message", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create a memfd for a message: %w", err)
	}
	f := os.NewFile(uintptr(fd), "message")
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write a message: %w", err)
	}
	return f, nil
}

// Recv returns the next message and its descriptors, which become the caller's. When the peer has gone it returns io.EOF.
func (c *Conn) Recv() (*Message, []*os.File, error) {
	rc, err := c.sock.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var n, oobn, flags int
	var rerr error
	err = rc.Read(func(fd uintptr) bool {
		n, oobn, flags, _, rerr = unix.Recvmsg(int(fd), c.buf, c.oob, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(rerr, unix.EAGAIN) && !errors.Is(rerr, unix.EINTR)
	})
	if err == nil {
		err = rerr
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot receive a message: %w", err)
	}
	fds, err := ParseRights(c.oob[:oobn])
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), "received")
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("message is cut off")
	}
	m := &Message{}
	if err == nil {
		files, err = decodeMessage(m, c.buf[:n], files)
	}
	if err != nil {
		closeAll(files)
		return nil, nil, err
	}
	return m, files, nil
}

func decodeMessage(m *Message, b []byte, files []*os.File) ([]*os.File, error) {
	data := b[1:]
	if b[0] == 'm' {
		if len(files) == 0 {
			return files, errors.New("message lacks its memfd")
		}
		f := files[0]
		files = files[1:]
		defer f.Close()
		var err error
		if data, err = io.ReadAll(io.NewSectionReader(f, 0, 1<<30)); err != nil {
			return files, fmt.Errorf("cannot read a message: %w", err)
		}
	}
	if err := json.Unmarshal(data, m); err != nil {
		return files, fmt.Errorf("cannot decode a message: %w", err)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// Close closes the socket; a blocked Recv returns.
func (c *Conn) Close() error { return c.sock.Close() }
