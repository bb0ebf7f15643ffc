package proxy

import (
	"bytes"

	"hognose/internal/exchange"
)

// checkHost settles the host that the request is for: the Host field, which must say the same as an absolute-form target
// (RFC 9112 section 3.2.2 would let the target win; a reader that looks only at Host would be fooled).
func checkHost(ex *exchange.Exchange, hd *Head) error {
	if !hd.has(kindHost) && hd.authority == nil {
		if ex.Proto == exchange.HTTP11 {
			return bad("HTTP/1.1 request has no Host")
		}
		return nil
	}
	if !hd.has(kindHost) && ex.Proto == exchange.HTTP11 {
		return bad("HTTP/1.1 request has no Host")
	}
	raw := hd.host
	if !hd.has(kindHost) {
		raw = hd.authority
	}
	host, _, ok := parseHost(raw)
	if !ok {
		return bad("Host is not a host with an optional port")
	}
	if hd.authority != nil && !bytes.EqualFold(hd.authority, raw) {
		return bad("Host differs from the host in the request target")
	}
	ex.Authority = raw
	ex.Host, hd.hostMem = lowerCase(host, hd.hostMem)
	return nil
}

// parseHost divides host[:port] after the grammar of RFC 3986 section 3.2.2 as nginx's
// ngx_http_validate_host reads it: no userinfo, no empty host or label, a port up to 65535 (0 when there is none). host loses its final dot.
func parseHost(s []byte) (host []byte, port int, ok bool) {
	host, rest, ok := cutHost(s)
	if !ok {
		return nil, 0, false
	}
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	if len(host) == 0 {
		return nil, 0, false
	}
	if len(rest) == 0 {
		return host, 0, true
	}
	for _, c := range rest[1:] {
		if !isDigit(c) || port > 65535 {
			return nil, 0, false
		}
		port = port*10 + int(c-'0')
	}
	return host, port, rest[0] == ':' && port <= 65535
}

// cutHost cuts s behind the host.
func cutHost(s []byte) (host, rest []byte, ok bool) {
	if len(s) > 0 && s[0] == '[' {
		end := bytes.IndexByte(s, ']')
		if end < 2 || !isHostText(s[1:end], true) {
			return nil, nil, false
		}
		return s[:end+1], s[end+1:], true
	}
	end := bytes.IndexByte(s, ':')
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:], isHostText(s[:end], false)
}

// isHostText reports whether s is made of unreserved, sub-delims and "%" (or ":" in a literal) and has no empty label.
func isHostText(s []byte, literal bool) bool {
	last := byte(0)
	for _, c := range s {
		switch {
		case byteClass[c]&bytePlain != 0:
		case c == '.':
			if last == '.' {
				return false
			}
		case c == ':' || c == '%':
			if (c == ':') != literal {
				return false
			}
		case bytes.IndexByte([]byte("_~!$&'()*+,;="), c) < 0:
			return false
		}
		last = c
	}
	return true
}

// lowerCase returns s in lower case: s itself, or a copy in mem, which it returns for the next time.
func lowerCase(s, mem []byte) (lower, newMem []byte) {
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			mem = append(mem[:0], s...)
			for j := i; j < len(mem); j++ {
				if 'A' <= mem[j] && mem[j] <= 'Z' {
					mem[j] |= 0x20
				}
			}
			return mem, mem
		}
	}
	return s, mem
}
