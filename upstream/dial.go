package upstream

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"hognose/internal/exchange"
)

// Pauses between attempts to connect to a Unix socket with a full backlog.
const (
	firstPause = time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// dial connects within ConnectTimeout. A Unix socket whose backlog is full refuses at once, with EAGAIN, where
// TCP would wait; so it is asked again, as long as the client is there. Nothing has been sent yet.
func (c *Client) dial(gone func() bool) (net.Conn, error) {
	deadline := time.Now().Add(c.cfg.ConnectTimeout)
	dialer := net.Dialer{Deadline: deadline, KeepAlive: -1}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		conn, err := dialer.Dial(c.network, c.address)
		if err == nil {
			return conn, nil
		}
		full := errors.Is(err, syscall.EAGAIN)
		switch {
		case !full:
			return nil, fmt.Errorf("cannot connect: %w", err)
		case time.Now().Add(pause).After(deadline):
			return nil, fmt.Errorf("%w (%s): %w", errBacklogFull, c.cfg.ConnectTimeout, err)
		}
		if gone != nil && gone() {
			return nil, errClientGone()
		}
		time.Sleep(pause)
	}
}

func errClientGone() error {
	return &exchange.StatusError{Code: exchange.ClientClosed, Err: errors.New("client left while its request was passed on"), Close: true}
}
