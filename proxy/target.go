package proxy

import (
	"bytes"

	"hognose/internal/exchange"
)

// target reads the request target (RFC 9112 section 3.2) and sets Target, Path and Query.
func (g *Guard) target(ex *exchange.Exchange, hd *Head) error {
	t := ex.Target
	switch {
	case t[0] == '/':
	case len(t) == 1 && t[0] == '*':
		if string(ex.Method) != "OPTIONS" {
			return bad("request target * is for OPTIONS only")
		}
		hd.Asterisk = true
		ex.Path = t
		return nil
	default:
		if err := absoluteForm(ex, hd); err != nil {
			return err
		}
	}
	mark, special, ok := scanTarget(ex.Target)
	if !ok {
		return bad("request target has a byte that a URI cannot have")
	}
	path := ex.Target
	if mark >= 0 {
		path, ex.Query = ex.Target[:mark:mark], ex.Target[mark+1:]
	}
	if !special {
		ex.Path = path
		return nil
	}
	var err error
	ex.Path, err = appendPath(hd.pathMem[:0], path, g.cfg.MergeSlashes)
	hd.pathMem = ex.Path
	return err
}

// absoluteForm takes "http://authority/path" apart. Its scheme is not looked at any further: what the
// connection is, we know better.
func absoluteForm(ex *exchange.Exchange, hd *Head) error {
	t := ex.Target
	n := len("http://")
	if !hasPrefixFold(t, "http://") {
		n = len("https://")
		if !hasPrefixFold(t, "https://") {
			return bad("request target is neither a path nor an http or https URL")
		}
	}
	t = t[n:]
	end := bytes.IndexAny(t, "/?#")
	if end < 0 {
		end = len(t)
	}
	hd.authority = t[:end:end]
	if _, _, ok := parseHost(hd.authority); !ok {
		return bad("request target has no valid host")
	}
	ex.Target = t[end:]
	if end == len(t) || t[end] != '/' {
		hd.targetMem = append(append(hd.targetMem[:0], '/'), ex.Target...)
		ex.Target = hd.targetMem
	}
	return nil
}

// scanTarget finds the "?" of an origin-form (-1 if there is none) and tells whether its path needs decoding or normalising.
func scanTarget(t []byte) (mark int, special, ok bool) {
	mark = -1
	slash := false
	for i, c := range t {
		if byteClass[c]&byteTarget == 0 {
			return 0, false, false
		}
		switch c {
		case '?':
			return i, special, isTargetText(t[i:])
		case '%':
			special = true
		case '/', '.':
			special = special || slash
		}
		slash = c == '/'
	}
	return mark, special, true
}

func isTargetText(t []byte) bool {
	for _, c := range t {
		if byteClass[c]&byteTarget == 0 {
			return false
		}
	}
	return true
}

// appendPath appends the path that raw means: percent-decoded once, then without dot segments and, if merge is set, empty ones.
// A path that leaves the root, or has a NUL or a broken percent code, is refused, as in nginx.
func appendPath(dst, raw []byte, merge bool) ([]byte, error) {
	start := len(dst)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) {
				return dst, bad("path has a broken percent code")
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi > 15 || lo > 15 {
				return dst, bad("path has a broken percent code")
			}
			if c = hi<<4 | lo; c == 0 {
				return dst, bad("path has a NUL")
			}
			i += 2
		}
		dst = append(dst, c)
	}
	n, ok := cleanPath(dst[start:], merge)
	if !ok {
		return dst, bad("path leads above the root")
	}
	return dst[:start+n], nil
}

// unhex returns the value of a hexadecimal digit, 16 for any other byte.
func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// cleanPath removes dot segments (RFC 3986 section 5.2.4) in place and returns the new length. p starts with "/".
func cleanPath(p []byte, merge bool) (int, bool) {
	w := 0
	for r, end := 0, 0; r < len(p); r = end {
		end = len(p)
		if i := bytes.IndexByte(p[r+1:], '/'); i >= 0 {
			end = r + 1 + i
		}
		segment, last := p[r+1:end], end == len(p)
		switch {
		case len(segment) == 0 && merge && !last:
			continue
		case string(segment) == "..":
			if w = bytes.LastIndexByte(p[:w], '/'); w < 0 {
				return 0, false
			}
		case string(segment) != ".":
			w += copy(p[w:], p[r:end])
			continue
		}
		if last {
			p[w] = '/'
			w++
		}
	}
	return w, true
}
