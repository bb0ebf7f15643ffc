package exchange

import (
	"errors"
	"fmt"
)

// Adopt makes the head that an application or an upstream server sent the head of r. The fields are
// not copied. It is the one place where such a head is judged:
//
//   - a status outside 200 to 599, a name that is no token, a value or reason with control characters, and a
//     Content-Length that is repeated, no number, or beside a Transfer-Encoding are errors: the answer is 502;
//   - fields that end at this hop (RFC 9110 section 7.6.1), and Date, Server, X-Accel-* and X-Sendfile, which are
//     between the front and its backends, are left out;
//   - Content-Length goes to r.Length, which is -1 without one.
func (r *Response) Adopt(status int, reason []byte, fields []Field) error {
	if status < 200 || status > 599 {
		return fmt.Errorf("status %d is not between 200 and 599", status)
	}
	if !fieldValue(reason) {
		return fmt.Errorf("reason phrase %q has control characters", reason)
	}
	r.Status, r.Reason, r.Length = status, reason, -1
	r.Fields = r.Fields[:0]
	coded := false
	for _, f := range fields {
		if !token(f.Name) {
			return fmt.Errorf("field name %q is not a token", f.Name)
		}
		if !fieldValue(f.Value) {
			return fmt.Errorf("value of field %q has control characters", f.Name)
		}
		switch classify(f.Name) {
		case responseLength:
			n, err := contentLength(f.Value)
			if err != nil || r.Length >= 0 {
				return fmt.Errorf("Content-Length %q is repeated or not a number", f.Value)
			}
			r.Length = n
		case responseCoding:
			coded = true
		case responseKeep:
			r.Fields = append(r.Fields, f)
		}
	}
	if coded && r.Length >= 0 {
		return errors.New("head has Content-Length and Transfer-Encoding")
	}
	return nil
}

// What becomes of a response field.
type responseKind uint8

const (
	responseKeep responseKind = iota
	responseDrop
	responseLength
	responseCoding
)

func classify(name []byte) responseKind {
	switch name[0] | 0x20 {
	case 'c':
		if EqualFold(name, "content-length") {
			return responseLength
		}
		return drop(EqualFold(name, "connection"))
	case 'd':
		return drop(EqualFold(name, "date"))
	case 'k':
		return drop(EqualFold(name, "keep-alive"))
	case 'p':
		return drop(EqualFold(name, "proxy-connection"))
	case 's':
		return drop(EqualFold(name, "server"))
	case 't':
		if EqualFold(name, "transfer-encoding") {
			return responseCoding
		}
		return drop(EqualFold(name, "te") || EqualFold(name, "trailer"))
	case 'u':
		return drop(EqualFold(name, "upgrade"))
	case 'x':
		return drop(EqualFold(name, "x-sendfile") || len(name) > 8 && EqualFold(name[:8], "x-accel-"))
	}
	return responseKeep
}

func drop(yes bool) responseKind {
	if yes {
		return responseDrop
	}
	return responseKeep
}

// contentLength reads 1*DIGIT (RFC 9110 section 8.6), at most 18 digits.
func contentLength(v []byte) (int64, error) {
	if len(v) == 0 || len(v) > 18 {
		return 0, errors.New("not a length")
	}
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, errors.New("not a length")
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// token reports whether name is a token (RFC 9110 section 5.6.2).
func token(name []byte) bool {
	for _, c := range name {
		if !tokenTable[c] {
			return false
		}
	}
	return len(name) > 0
}

var tokenTable = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()

// fieldValue reports whether v may be a field value (RFC 9110 section 5.5): no controls but HTAB.
func fieldValue(v []byte) bool {
	for _, c := range v {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
