package uwsgi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"hognose/internal/exchange"
)

const (
	// HeaderLen is the size of a packet's header in bytes.
	HeaderLen = 4
	// MaxVars is the largest block of variables, in bytes: its size field has 16 bits.
	MaxVars = 65535
	// ModifierWSGI is modifier1 of a WSGI (Python) request.
	ModifierWSGI = 0
)

// ErrTooLarge says that the variables do not fit into one packet. The answer is 431 (RFC 6585 section 5).
var ErrTooLarge = errors.New("request variables do not fit into one uwsgi packet of 65535 bytes")

// AppendVar appends one variable to a block.
func AppendVar(dst []byte, key string, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(key)))
	dst = append(dst, key...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// appendVarString is AppendVar for a string value.
func appendVarString(dst []byte, key, value string) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(key)))
	dst = append(dst, key...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// beginPacket appends an empty header; finishPacket fills it.
func beginPacket(dst []byte) []byte { return append(dst, ModifierWSGI, 0, 0, 0) }

// finishPacket writes the size of the block that began at start, or returns ErrTooLarge.
func finishPacket(dst []byte, start int) ([]byte, error) {
	n := len(dst) - start - HeaderLen
	if n > MaxVars {
		return dst[:start], ErrTooLarge
	}
	binary.LittleEndian.PutUint16(dst[start+1:], uint16(n))
	return dst, nil
}

// AppendPacket appends a whole packet with the given variables, as they are.
func AppendPacket(dst []byte, vars []exchange.Field) ([]byte, error) {
	start := len(dst)
	dst = beginPacket(dst)
	for _, v := range vars {
		if len(v.Name) > MaxVars || len(v.Value) > MaxVars {
			return dst[:start], ErrTooLarge
		}
		dst = AppendVar(dst, string(v.Name), v.Value)
	}
	return finishPacket(dst, start)
}

// Size returns the size of the whole packet that begins with the header h, and an error
// when the header is not that of a request to a Python application.
func Size(h []byte) (int, error) {
	if len(h) < HeaderLen {
		return 0, fmt.Errorf("uwsgi header has %d bytes; want %d", len(h), HeaderLen)
	}
	if h[0] != ModifierWSGI || h[3] != 0 {
		return 0, fmt.Errorf("uwsgi modifiers are %d and %d; only 0 and 0 (a Python request) are accepted", h[0], h[3])
	}
	return HeaderLen + int(binary.LittleEndian.Uint16(h[1:])), nil
}

// Parse appends the variables of the packet p to dst. They alias p. It refuses a packet whose
// lengths do not add up exactly, an empty or UWSGI_ key, one that repeats, and a NUL or control character in a key. Only the HTTP_
// variables of header fields may repeat: nginx before 1.23 sends a repeated field so.
func Parse(dst []exchange.Field, p []byte) ([]exchange.Field, error) {
	n, err := Size(p)
	if err != nil {
		return dst, err
	}
	if n != len(p) {
		return dst, fmt.Errorf("uwsgi packet says %d bytes and has %d", n, len(p))
	}
	first := len(dst)
	for p = p[HeaderLen:]; len(p) > 0; {
		var key, value []byte
		if key, p, err = cut(p); err != nil {
			return dst[:first], fmt.Errorf("uwsgi key %d: %w", len(dst)-first, err)
		}
		if value, p, err = cut(p); err != nil {
			return dst[:first], fmt.Errorf("uwsgi value of key %q: %w", key, err)
		}
		if err := checkKey(key); err != nil {
			return dst[:first], err
		}
		dst = append(dst, exchange.Field{Name: key, Value: value})
	}
	if err := checkUnique(dst[first:]); err != nil {
		return dst[:first], err
	}
	return dst, nil
}

// cut splits a length-prefixed string off p.
func cut(p []byte) (s, rest []byte, err error) {
	if len(p) < 2 {
		return nil, nil, errors.New("its length is cut off")
	}
	n := int(binary.LittleEndian.Uint16(p))
	if n > len(p)-2 {
		return nil, nil, fmt.Errorf("it says %d bytes, %d are left", n, len(p)-2)
	}
	return p[2 : 2+n : 2+n], p[2+n:], nil
}

func checkKey(key []byte) error {
	if len(key) == 0 {
		return errors.New("uwsgi key is empty")
	}
	if bytes.HasPrefix(key, []byte("UWSGI_")) {
		return fmt.Errorf("uwsgi key %q: keys that start with UWSGI_ are not accepted", key)
	}
	for _, c := range key {
		if c <= ' ' || c == 0x7f {
			return fmt.Errorf("uwsgi key %q has a control character or space", key)
		}
	}
	return nil
}

// repeatable reports whether key is the variable of a header field that may come more than once. Of two Host or
// Authorization fields it would depend on the reader which one counts.
func repeatable(key []byte) bool {
	switch string(key) {
	case "HTTP_HOST", "HTTP_AUTHORIZATION":
		return false
	}
	return bytes.HasPrefix(key, []byte("HTTP_"))
}

// checkUnique refuses repeated keys. Small blocks are compared pairwise, which needs no
// memory; large ones through a map, so that a hostile block costs linear time.
func checkUnique(vars []exchange.Field) error {
	if len(vars) > 64 {
		seen := make(map[string]struct{}, len(vars))
		for _, v := range vars {
			if _, dup := seen[string(v.Name)]; dup && !repeatable(v.Name) {
				return fmt.Errorf("uwsgi key %q comes twice", v.Name)
			}
			seen[string(v.Name)] = struct{}{}
		}
		return nil
	}
	for i := range vars {
		for j := range i {
			if bytes.Equal(vars[i].Name, vars[j].Name) && !repeatable(vars[i].Name) {
				return fmt.Errorf("uwsgi key %q comes twice", vars[i].Name)
			}
		}
	}
	return nil
}
