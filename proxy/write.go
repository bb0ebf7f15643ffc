package proxy

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
)

// sliceSize is the most that is written under one send_timeout: progress within it is not seen.
const sliceSize = 128 << 10

// output is what the write that is going on sends: bytes, or a range of a file.
type output struct {
	p    []byte
	more bool

	file   uintptr
	offset int64
	n      int64 // bytes of the file that are left

	err error
}

// write writes p completely. Each progress gives the client send_timeout anew (nginx: send_timeout).
func (c *conn) write(p []byte, more bool) error {
	if len(p) == 0 {
		return nil
	}
	if c.tls != nil {
		return c.writeTLS(p)
	}
	c.o = output{p: p, more: more}
	if err := c.raw.Write(c.writeFn); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return c.o.err
}

// writeOnce sends until all is sent or the socket is full.
func (c *conn) writeOnce(fd uintptr) bool {
	o := &c.o
	for len(o.p) > 0 {
		n, err := rawSend(fd, o.p, o.more)
		switch err {
		case nil:
			o.p = o.p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			c.setPhase(phaseWrite, c.sendTimeout)
			return false
		default:
			o.err = fmt.Errorf("%w: %w", errClientGone, err)
			return true
		}
	}
	return true
}

func (c *conn) writeTLS(p []byte) error {
	for len(p) > 0 {
		n, err := c.tls.Write(p[:min(len(p), sliceSize)])
		if err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		p = p[n:]
		c.setPhase(phaseWrite, c.sendTimeout)
	}
	return nil
}

// writeFile writes the head in w.out and then a range of a file.
func (c *conn) writeFile(f *exchange.FileRange) error {
	w := c.w
	if c.tls != nil || f.N <= joinSize {
		return c.copyFile(f)
	}
	if err := c.write(w.out, true); err != nil {
		return err
	}
	c.o = output{file: f.File.Fd(), offset: f.Offset, n: f.N}
	if err := c.raw.Write(c.fileFn); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	c.sent += f.N - c.o.n
	return c.o.err
}

// fileOnce sends a file's bytes until all are sent or the socket is full: sendfile(2).
func (c *conn) fileOnce(fd uintptr) bool {
	o := &c.o
	for o.n > 0 {
		n, err := unix.Sendfile(int(fd), int(o.file), &o.offset, int(min(o.n, sliceSize)))
		switch err {
		case nil:
			if n == 0 {
				o.err = fmt.Errorf("file became shorter by %d bytes while it was sent", o.n)
				return true
			}
			o.n -= int64(n)
			c.setPhase(phaseWrite, c.sendTimeout) // a slow disk may never let the socket fill up
		case unix.EINTR:
		case unix.EAGAIN:
			c.setPhase(phaseWrite, c.sendTimeout)
			return false
		case unix.EIO, unix.EINVAL, unix.ENOMEM, unix.EOVERFLOW, unix.ESPIPE:
			o.err = fmt.Errorf("cannot read a file that is being sent: %w", err)
			return true
		default: // of the socket
			o.err = fmt.Errorf("%w: %w", errClientGone, err)
			return true
		}
	}
	return true
}

// copyFile reads a range of a file and writes it: for TLS, and for small files, which leave with their head.
func (c *conn) copyFile(f *exchange.FileRange) error {
	w := c.w
	for at := int64(0); ; {
		free := joinSize - min(len(w.out), joinSize/2)
		n := int(min(f.N-at, int64(free)))
		start := len(w.out)
		w.out = append(w.out, make([]byte, n)...)
		m, err := f.File.ReadAt(w.out[start:], f.Offset+at)
		w.out = w.out[:start+m]
		at += int64(m)
		c.sent += int64(m)
		if m < n {
			c.write(w.out, false)
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("cannot read a file that is being sent: %w", err)
		}
		if err := c.write(w.out, false); err != nil {
			return err
		}
		w.out = w.out[:0]
		if at == f.N {
			return nil
		}
	}
}
