package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// A client that sends its body slower than bodyRate, on average and after bodyGrace, is not waited
// for: a steady trickle would pass every timeout between two reads.
const (
	bodyRate  = 512 // bytes per second
	bodyGrace = 15 * time.Second
)

// requestBody reads the body of one request from its connection: exchange.Exchange.Body.
type requestBody struct {
	c       *conn
	limit   int64 // client_max_body_size, 0 is none
	timeout time.Duration
	start   int64 // UnixNano of the first read, 0 before

	left    int64 // bytes that Content-Length still promises
	chunked io.Reader
	source  *bufio.Reader // what chunked reads from
	n       int64         // bytes handed out
	expect  bool          // the client waits for 100 Continue
	done    bool
	broken  bool // the framing is lost: nothing may follow on this connection
}

// openBody prepares ex.Body, and refuses a body that is too large before a byte of it is read.
func (c *conn) openBody(limits *config.HTTP) error {
	w := c.w
	ex := &w.ex
	if ex.ContentLength == 0 {
		return nil
	}
	b := &w.body
	*b = requestBody{
		c: c, limit: int64(limits.ClientMaxBodySize), timeout: limits.ClientBodyTimeout.Std(),
		left: ex.ContentLength, expect: w.head.Expect,
	}
	ex.Body = b
	if ex.ContentLength < 0 {
		b.source = bufio.NewReaderSize(rawBody{b}, 4<<10)
		b.chunked = NewChunkedReader(b.source)
		return nil
	}
	if b.limit > 0 && ex.ContentLength > b.limit {
		return b.tooLarge()
	}
	return nil
}

func (b *requestBody) tooLarge() error {
	b.broken = true
	return &exchange.StatusError{
		Code: http.StatusRequestEntityTooLarge, Close: true,
		Err: fmt.Errorf("body is larger than %d bytes (client_max_body_size)", b.limit),
	}
}

// Read returns body bytes; its errors are StatusErrors.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	if b.broken {
		return 0, &exchange.StatusError{Code: http.StatusBadRequest, Close: true, Err: errors.New("body was read after an error")}
	}
	if b.expect {
		b.expect = false
		if err := b.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), false); err != nil {
			return 0, b.fail(err)
		}
	}
	if b.chunked != nil {
		return b.readChunked(p)
	}
	n, err := b.readRaw(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.n += int64(n)
	if b.left == 0 {
		b.done = true
		return n, nil
	}
	if err != nil {
		return n, b.fail(err)
	}
	return n, nil
}

func (b *requestBody) readChunked(p []byte) (int, error) {
	n, err := b.chunked.Read(p)
	b.n += int64(n)
	switch {
	case err == io.EOF:
		b.done = true
		if b.limit > 0 && b.n > b.limit {
			return 0, b.tooLarge()
		}
		return n, io.EOF
	case err != nil:
		return n, b.fail(err)
	case b.limit > 0 && b.n > b.limit:
		return 0, b.tooLarge()
	}
	return n, nil
}

// rawBody reads the bytes of a body as they are on the wire.
type rawBody struct{ b *requestBody }

func (r rawBody) Read(p []byte) (int, error) { return r.b.readRaw(p) }

// readRaw takes what is buffered first, then reads from the connection.
func (b *requestBody) readRaw(p []byte) (int, error) {
	c := b.c
	if rest := c.w.buffered(); len(rest) > 0 {
		n := copy(p, rest)
		c.w.pos += n
		return n, nil
	}
	now := c.srv.clock.nanos.Load()
	if b.start == 0 {
		b.start = now
	}
	if age := now - b.start; age > int64(bodyGrace) && b.n < age/int64(time.Second)*bodyRate {
		return 0, &exchange.StatusError{
			Code: http.StatusRequestTimeout, Close: true,
			Err: fmt.Errorf("body came slower than %d bytes per second", bodyRate),
		}
	}
	c.setPhase(phaseBody, b.timeout)
	n, err := c.read(p)
	c.setPhase(phaseHandler, 0) // what the handler does between two reads is not the client's time
	if n > 0 {
		err = nil
	}
	return n, err
}

// fail turns an error into what the client is answered.
func (b *requestBody) fail(err error) error {
	b.broken = true
	var se *exchange.StatusError
	switch {
	case errors.As(err, &se):
		return err
	case b.c.timedOut(err):
		return &exchange.StatusError{Code: http.StatusRequestTimeout, Close: true, Err: errors.New("body did not come in time (client_body_timeout)")}
	}
	return &exchange.StatusError{Code: exchange.ClientClosed, Close: true, Err: fmt.Errorf("client left while it sent its body: %w", err)}
}

// finish reports whether the body is out of the way, so that another request may follow. What the handler did not
// read is skipped as far as it has arrived already; a client is never waited for.
func (b *requestBody) finish() bool {
	switch {
	case b.c == nil:
		return !b.broken
	case b.broken || b.expect:
		return false
	case b.done:
		return true
	case b.chunked == nil && b.left <= int64(len(b.c.w.buffered())):
		b.c.w.pos += int(b.left)
		b.left, b.done = 0, true
		return true
	}
	return false
}

// rest returns what the chunked reader's buffer holds beyond the body.
func (b *requestBody) rest() []byte {
	if b.source == nil || !b.done {
		return nil
	}
	p, _ := b.source.Peek(b.source.Buffered())
	return append(p[:len(p):len(p)], b.c.w.buffered()...)
}
