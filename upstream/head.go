package upstream

import (
	"bytes"
	"errors"
	"fmt"

	"hognose/internal/exchange"
)

// maxHead is the size of the largest head of a response, in bytes.
const maxHead = 64 << 10

// head is the head of a response as the server wrote it. It aliases the bytes it was parsed from.
type head struct {
	status int
	reason []byte
	fields []exchange.Field
}

// headEnd returns the length of the head that b begins with, its empty line included, or 0 when that has not
// come yet. The first from bytes have been looked at before. Lines end in LF or CRLF (RFC 3875 section 6.2).
func headEnd(b []byte, from int) int {
	for i := max(from-2, 0); ; {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			return 0
		}
		i += lf + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// parse reads a complete head: "HTTP/x.y 200 OK" and fields, or fields, of which "Status: 200 OK" gives the status
// (RFC 3875 section 6.3.3); without one it is 302 with a Location, else 200. Whether status and fields
// may be passed on is for exchange.Response.Adopt to say.
func (h *head) parse(b []byte) error {
	h.status, h.reason, h.fields = 0, nil, h.fields[:0]
	line, b := cutLine(b)
	if bytes.HasPrefix(line, []byte("HTTP/")) {
		if err := h.setStatusLine(line); err != nil {
			return fmt.Errorf("status line %q: %w", shorten(line), err)
		}
		line, b = cutLine(b)
	}
	fromLine := h.status != 0
	redirects := false
	for ; len(line) > 0; line, b = cutLine(b) {
		f, err := parseField(line)
		if err != nil {
			return fmt.Errorf("header line %q %w", shorten(line), err)
		}
		if exchange.EqualFold(f.Name, "status") {
			if !fromLine {
				if h.status != 0 {
					return errors.New("field Status comes twice")
				}
				if err := h.setStatus(f.Value); err != nil {
					return fmt.Errorf("field Status %q: %w", shorten(f.Value), err)
				}
			}
			continue
		}
		redirects = redirects || exchange.EqualFold(f.Name, "location")
		h.fields = append(h.fields, f)
	}
	return h.complete(redirects)
}

// complete gives a head without status the one that CGI means.
func (h *head) complete(redirects bool) error {
	switch {
	case h.status != 0:
	case len(h.fields) == 0:
		return errors.New("the head has neither a status nor fields")
	case redirects:
		h.status = 302
	default:
		h.status = 200
	}
	return nil
}

// setStatusLine reads "HTTP/1.1 200 OK" (RFC 9112 section 4).
func (h *head) setStatusLine(line []byte) error {
	version, status, _ := bytes.Cut(line, []byte(" "))
	if len(version) != len("HTTP/1.1") || version[5] != '1' || version[6] != '.' {
		return errors.New("the version is not HTTP/1")
	}
	return h.setStatus(status)
}

// setStatus reads "200 OK" or "200".
func (h *head) setStatus(b []byte) error {
	code, reason, _ := bytes.Cut(b, []byte(" "))
	if len(code) != 3 {
		return errors.New("the status is not three digits")
	}
	n := 0
	for _, c := range code {
		if c < '0' || c > '9' {
			return errors.New("the status is not three digits")
		}
		n = n*10 + int(c-'0')
	}
	if n < 100 {
		return errors.New("the status is below 100")
	}
	h.status, h.reason = n, trim(reason)
	return nil
}

// parseField reads "Name: value". Continuation lines (RFC 9112 section 5.2) are refused.
func parseField(line []byte) (exchange.Field, error) {
	name, value, found := bytes.Cut(line, []byte(":"))
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return exchange.Field{}, errors.New("continues the line before, which is not supported")
	case !found:
		return exchange.Field{}, errors.New("has no colon")
	case len(name) == 0:
		return exchange.Field{}, errors.New("has no name")
	}
	return exchange.Field{Name: name, Value: trim(value)}, nil
}

// cutLine returns the first line of b without its end, and what follows.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

// shorten keeps error messages short.
func shorten(b []byte) []byte { return b[:min(len(b), 80)] }
