package proxy

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// HeadScanner finds the end of a request head in a buffer that grows while the head arrives, and refuses
// it as soon as it cannot become a good one: when a limit is reached, a line ends with LF alone, or the first byte is not that of a
// method (the TLS handshake of a client that took the port for another, for one).
//
// The zero value is ready for a new request.
type HeadScanner struct {
	start int // of the request line
	first int // end of the request line without its CR LF, 0 until it is known
	line  int // start of the line being read
	pos   int // what has been looked at
}

// Scan looks at the unread bytes of a connection: all that the last call saw, and more. It returns the range of the
// head in buf, 0, 0 when more is needed, or the refusal.
func (s *HeadScanner) Scan(g *Guard, buf []byte) (start, end int, err error) {
	if s.pos == 0 && len(buf) > 0 {
		if more, err := s.begin(buf); more || err != nil {
			return 0, 0, err
		}
	}
	for {
		i := bytes.IndexByte(buf[s.pos:], '\n')
		if i < 0 {
			s.pos = len(buf)
			return 0, 0, s.check(g, len(buf)-1) // the last byte may be the CR of a line that just fits
		}
		end := s.pos + i
		if end == s.line || buf[end-1] != '\r' {
			return 0, 0, bad("line of the request head ends with LF alone")
		}
		s.pos = end + 1
		if end == s.line+1 {
			return s.start, s.pos, s.check(g, end-1)
		}
		if s.first == 0 {
			s.first = end - 1
		}
		s.line = s.pos
	}
}

// begin steps over one empty line in front of the request (RFC 9112 section 2.2) and checks the first byte.
func (s *HeadScanner) begin(buf []byte) (more bool, err error) {
	at := 0
	if buf[0] == '\r' {
		if len(buf) < 3 {
			if len(buf) == 2 && buf[1] != '\n' {
				return false, bad("request line starts with CR")
			}
			return true, nil
		}
		if buf[1] != '\n' {
			return false, bad("request line starts with CR")
		}
		at = 2
	}
	if byteClass[buf[at]]&byteToken == 0 {
		return false, bad("request does not start with a method")
	}
	s.start, s.line, s.pos = at, at, at
	return false, nil
}

// check compares what has come, up to buf[:end], with the limits.
func (s *HeadScanner) check(g *Guard, end int) error {
	line := s.first
	if line == 0 {
		line = end
	}
	switch {
	case line-s.start > g.cfg.RequestLine:
		return refuse(fasthttp.StatusRequestURITooLong, "request line is too long")
	case end-s.start > g.cfg.HeaderBlock:
		return refuse(fasthttp.StatusRequestHeaderFieldsTooLarge, "request head is too large")
	}
	return nil
}
