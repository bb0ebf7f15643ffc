package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/uwsgi"
)

// Sizes in bytes.
const (
	firstRead = 8 << 10  // buffer for the head of a response, and what comes with it
	wholeSize = 64 << 10 // a response up to this size, with its head, is handed over whole (nginx: uwsgi_buffers)
)

// askInterval is how often a silent call looks whether its client is still there.
const askInterval = time.Second

// call is one request to the server, up to the end of its response. It is the Owner of the response and, without
// buffering, its Stream. It belongs to the goroutine of the exchange, then to its pump.
type call struct {
	client *Client
	gone   func() bool
	conn   net.Conn
	body   *spool.Body // of the request, until the sender has it
	packet []byte
	send   *sender
	head   head
	buf    []byte // the head of the response and what of the body came with it
	piece  []byte // what Next returned last
	rest   []byte // first piece of the body, part of buf
	left   int64  // bytes of the body that have not been received; -1: until the connection ends
	pump   *pump
}

// run does everything up to a response that can be sent.
func (k *call) run(ex *exchange.Exchange) error {
	if err := k.prepare(ex); err != nil {
		return err
	}
	conn, err := k.client.dial(k.gone)
	if err != nil {
		return err
	}
	k.conn = conn
	k.send = &sender{conn: conn, timeout: k.client.cfg.SendTimeout}
	k.send.start(k.packet, k.body)
	k.body = nil
	end, err := k.readHead()
	if err != nil {
		return k.blame(err)
	}
	if err := ex.Response.Adopt(k.head.status, k.head.reason, k.head.fields); err != nil {
		return fmt.Errorf("bad answer: %w", err)
	}
	return k.respond(ex, end)
}

// prepare takes in the request body and makes the packet.
func (k *call) prepare(ex *exchange.Exchange) error {
	length := int64(-1)
	if ex.Body != nil {
		body, err := spool.ReadBody(ex.Body, ex.ContentLength, k.client.cfg.Body)
		if err != nil {
			return err
		}
		k.body = body
		length = body.Len()
		if n := ex.ContentLength; n >= 0 && length != n {
			err := fmt.Errorf("request body has %d bytes; its Content-Length says %d", length, n)
			return &exchange.StatusError{Code: http.StatusBadRequest, Err: err, Close: true}
		}
	}
	packet, err := uwsgi.AppendRequest(k.packet[:0], ex, length)
	if err != nil {
		return &exchange.StatusError{Code: http.StatusRequestHeaderFieldsTooLarge, Err: err, Close: true}
	}
	k.packet = packet
	return nil
}

// readHead reads until the head is complete, parses it, and returns its length.
func (k *call) readHead() (end int, err error) {
	if k.buf == nil {
		k.buf = make([]byte, 0, firstRead)
	}
	k.buf = k.buf[:0]
	for {
		seen := len(k.buf)
		err := k.fill(maxHead)
		if end := headEnd(k.buf, seen); end > 0 {
			return end, k.head.parse(k.buf[:end])
		}
		switch {
		case (err == io.EOF || errors.Is(err, syscall.ECONNRESET)) && len(k.buf) == 0:
			return 0, errNoAnswer
		case err == io.EOF:
			return 0, errCutHead
		case err != nil:
			return 0, err
		case len(k.buf) >= maxHead:
			return 0, errLargeHead
		}
	}
}

// fill reads once behind what buf has, making room up to limit.
func (k *call) fill(limit int) error {
	if len(k.buf) == cap(k.buf) {
		k.buf = append(make([]byte, 0, min(4*cap(k.buf), limit)), k.buf...)
	}
	n, err := k.read(k.buf[len(k.buf):cap(k.buf)])
	k.buf = k.buf[:len(k.buf)+n]
	return err
}

// blame adds what went wrong with sending: often it is why nothing good was read.
func (k *call) blame(err error) error {
	if _, serr := k.send.status(); serr != nil && !errors.Is(err, serr) {
		return fmt.Errorf("%w (%w)", err, serr)
	}
	return err
}

// respond gives ex the body, which begins at end of buf.
func (k *call) respond(ex *exchange.Exchange, end int) error {
	r := &ex.Response
	k.rest, k.left = k.buf[end:], r.Length
	if ex.IsHead() || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		k.hangUp()
		return nil
	}
	if k.left >= 0 {
		k.rest = k.rest[:min(int64(len(k.rest)), k.left)]
		k.left -= int64(len(k.rest))
		whole := int64(end) + r.Length
		if k.left == 0 || k.client.cfg.Buffering && whole <= wholeSize {
			return k.respondWhole(r, end, int(whole))
		}
	}
	if k.client.cfg.Buffering {
		k.pump = startPump(k)
		r.Stream = k.pump
		return nil
	}
	r.Stream = k
	return nil
}

// respondWhole waits for the rest of a small body. What goes wrong now can still be answered.
func (k *call) respondWhole(r *exchange.Response, end, whole int) error {
	if cap(k.buf) < whole {
		k.buf = append(make([]byte, 0, whole), k.buf...)
	}
	for len(k.buf) < whole {
		if err := k.fill(whole); err != nil && len(k.buf) < whole {
			return k.cut(err)
		}
	}
	k.hangUp()
	r.Body = k.buf[end:whole]
	return nil
}

// Next implements exchange.Stream, without buffering.
func (k *call) Next() (p []byte, more bool, err error) {
	if len(k.rest) > 0 {
		p, k.rest = k.rest, nil
		return p, false, nil
	}
	if k.left == 0 {
		return nil, false, io.EOF
	}
	if k.piece == nil {
		k.piece = make([]byte, pieceSize)
	}
	n, err := k.read(k.piece)
	if err != nil {
		return nil, false, k.cut(err)
	}
	if k.left > 0 {
		n = int(min(int64(n), k.left))
		k.left -= int64(n)
	}
	return k.piece[:n], n == len(k.piece) && k.left != 0, nil
}

// cut judges the end of a body: io.EOF when it may end here, else an error that names the server.
func (k *call) cut(err error) error {
	if err == io.EOF {
		if k.left < 0 {
			return io.EOF
		}
		err = errors.New("it closed the connection before the end of its Content-Length")
	}
	return k.client.statusError(err)
}

// read reads from the connection. Silence is counted from when the request has been sent, and is
// interrupted to look for the client and the sender.
func (k *call) read(p []byte) (int, error) {
	timeout := k.client.cfg.ReadTimeout
	since := time.Now()
	for {
		wait := timeout - time.Since(since)
		if wait <= 0 || wait > askInterval { // not positive: the request is still being sent
			wait = askInterval
		}
		if err := k.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
		n, err := k.conn.Read(p)
		if n > 0 {
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if since, err = k.silent(since); err != nil {
			return 0, err
		}
	}
}

// silent judges a silence that began then, and returns when it began to count.
func (k *call) silent(since time.Time) (time.Time, error) {
	if k.gone != nil && k.gone() {
		return since, errClientGone()
	}
	ended, err := k.send.status()
	switch {
	case ended.IsZero():
		return since, nil
	case errors.Is(err, errSendTimeout):
		return since, err
	case ended.After(since):
		since = ended
	}
	if timeout := k.client.cfg.ReadTimeout; time.Since(since) >= timeout {
		return since, fmt.Errorf("%w (%s)", errReadTimeout, timeout)
	}
	return since, nil
}

// hangUp closes the connection as soon as nothing more is wanted of it. An error of closing has nothing to tell.
func (k *call) hangUp() {
	if k.conn != nil {
		k.conn.Close()
	}
}

// Close ends the call, wherever it is, and gives its memory back: it is the Owner of the response.
func (k *call) Close() error {
	k.hangUp()
	if k.pump != nil {
		k.pump.stop()
	}
	if k.send != nil {
		k.send.wg.Wait()
	}
	err := k.body.Close()
	clear(k.head.fields)
	*k = call{client: k.client, packet: shrink(k.packet), buf: shrink(k.buf), piece: k.piece, head: head{fields: k.head.fields[:0]}}
	k.client.calls.Put(k)
	return err
}

// shrink keeps memory of usual size.
func shrink(b []byte) []byte {
	if cap(b) > wholeSize {
		return nil
	}
	return b
}
