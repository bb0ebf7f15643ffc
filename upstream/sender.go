package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"hognose/internal/spool"
)

// joinSize is the size up to which a body is written along with its packet, by the caller's goroutine.
const joinSize = 16 << 10

// pieceSize is how much of a body is read, and written under one timeout, at a time, in bytes.
const pieceSize = 64 << 10

// sender sends one request. What comes of it, and when, is asked by the reader of the response.
type sender struct {
	conn    net.Conn
	timeout time.Duration
	wg      sync.WaitGroup

	mu    sync.Mutex // guards what follows
	ended time.Time  // zero while sending
	err   error
}

// start sends the packet and the body, which it closes: a small one at once, else on a goroutine of its own.
func (s *sender) start(packet []byte, body *spool.Body) {
	if body == nil || body.File() == nil && body.Len() <= joinSize {
		if body != nil {
			packet = append(packet, body.Bytes()...)
			body.Close()
		}
		s.end(s.write(packet))
		return
	}
	s.wg.Go(func() {
		defer body.Close()
		err := s.write(packet)
		if err == nil {
			err = s.copy(body.Reader())
		}
		s.end(err)
	})
}

func (s *sender) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.err = time.Now(), err
}

// status tells since when nothing is sent any more, zero while something is, and what went wrong.
func (s *sender) status() (ended time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended, s.err
}

func (s *sender) copy(r io.Reader) error {
	buf := make([]byte, pieceSize)
	for {
		n, err := r.Read(buf)
		if werr := s.write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the spooled request body: %w", err)
		}
	}
}

// write writes p in pieces. Each progress gives the server SendTimeout anew.
func (s *sender) write(p []byte) error {
	for len(p) > 0 {
		if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
			return err
		}
		n, err := s.conn.Write(p[:min(len(p), pieceSize)])
		p = p[n:]
		if err == nil || n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%w (%s)", errSendTimeout, s.timeout)
		}
		return fmt.Errorf("cannot send the request: %w", err)
	}
	return nil
}
