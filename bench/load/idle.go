package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Idle opens keep-alive connections that each make one request and then stay.
type Idle struct {
	Addr        string // host:port
	Path        string
	Connections int
	Dialers     int // how many connections are being opened at a time
}

// Held are connections that stay open until Close.
type Held struct {
	mu    sync.Mutex
	conns []net.Conn // guarded by mu while Open runs, then read only
}

// Open returns when all connections are idle. One that cannot be opened, or
// whose request fails, is an error.
func (i Idle) Open(ctx context.Context) (*Held, error) {
	held := &Held{}
	queue := make(chan struct{}, i.Connections)
	for range i.Connections {
		queue <- struct{}{}
	}
	close(queue)
	failures := make([]error, i.Dialers)
	var wait sync.WaitGroup
	for d := range i.Dialers {
		wait.Go(func() {
			for range queue {
				if failures[d] = held.open(ctx, i); failures[d] != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	if err := firstOf(failures); err != nil {
		opened := len(held.conns)
		held.Close()
		return nil, fmt.Errorf("only %d of %d connections could be opened: %w", opened, i.Connections, err)
	}
	return held, nil
}

// firstOf returns one error: when a server stops answering, all dialers say so.
func firstOf(failures []error) error {
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// open adds one connection.
func (h *Held) open(ctx context.Context, i Idle) error {
	c, err := dial(ctx, i.Addr)
	if err != nil {
		return err
	}
	if err := c.get(getRequest(i.Addr, i.Path)); err != nil {
		reset(c.conn)
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, c.conn)
	return nil
}

// Open returns how many of the connections the server still keeps.
func (h *Held) Open() int {
	open := 0
	for _, conn := range h.conns {
		if isOpen(conn) {
			open++
		}
	}
	return open
}

// Close ends all connections.
func (h *Held) Close() {
	for _, conn := range h.conns {
		reset(conn)
	}
}

// isOpen looks whether a connection would block on reading, without reading.
func isOpen(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	var peekErr error
	err = raw.Control(func(fd uintptr) {
		_, _, peekErr = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return err == nil && errors.Is(peekErr, unix.EAGAIN)
}
