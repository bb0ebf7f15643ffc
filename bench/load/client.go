package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// requestTimeout is how long one request may take before it counts as failed.
// It is far above any latency worth measuring.
const requestTimeout = 10 * time.Second

// client is one connection that sends one request after the other. It is for
// one goroutine.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
}

func dial(ctx context.Context, addr string) (*client, error) {
	dialer := net.Dialer{Timeout: requestTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return newClient(conn), nil
}

func newClient(conn net.Conn) *client {
	return &client{conn: conn, reader: bufio.NewReaderSize(conn, 4096)}
}

// get sends a prepared request and reads the whole answer, which must be 200.
func (c *client) get(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answer of status %d, want 200", response.StatusCode)
	}
	return nil
}

// reset closes a connection at once, without the minute of TIME_WAIT that would
// use up the machine's ports between two rounds.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		// On error the close is an ordinary one, which only costs a port.
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// getRequest builds the bytes of a GET.
func getRequest(addr, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr)
}
