package proxy

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

// maxMethod is the longest method in bytes.
const maxMethod = 32

// requestLine reads METHOD SP TARGET SP VERSION CRLF (RFC 9112 section 3) and returns what follows.
func (g *Guard) requestLine(ex *exchange.Exchange, hd *Head, head []byte) ([]byte, error) {
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return nil, bad("request line does not end with CRLF")
	}
	line := head[:end-1]
	hd.Line = line
	if len(line) > g.cfg.RequestLine {
		return nil, refuse(fasthttp.StatusRequestURITooLong, "request line is too long")
	}
	method, target, version, err := splitLine(line)
	if err != nil {
		return nil, err
	}
	ex.Method, ex.Target, hd.target = method, target, target
	if ex.Proto, err = protoOf(version); err != nil {
		return nil, err
	}
	if err := checkMethod(hd, method); err != nil {
		return nil, err
	}
	return head[end+1:], g.target(ex, hd)
}

func splitLine(line []byte) (method, target, version []byte, err error) {
	i := bytes.IndexByte(line, ' ')
	if i < 1 || i > maxMethod || !isToken(line[:i]) {
		return nil, nil, nil, bad("request method is not a token of at most 32 bytes")
	}
	method, line = line[:i:i], line[i+1:]
	if string(method) == "PRI" {
		return nil, nil, nil, bad("HTTP/2 preface on an HTTP/1 connection")
	}
	i = bytes.IndexByte(line, ' ')
	if i < 1 {
		return nil, nil, nil, bad("request line is not three words divided by single spaces")
	}
	return method, line[:i:i], line[i+1:], nil
}

// protoOf reads HTTP-version (RFC 9112 section 2.3).
func protoOf(version []byte) (exchange.Proto, error) {
	switch {
	case string(version) == "HTTP/1.1":
		return exchange.HTTP11, nil
	case string(version) == "HTTP/1.0":
		return exchange.HTTP10, nil
	case len(version) == 8 && string(version[:5]) == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]):
		return 0, refuse(fasthttp.StatusHTTPVersionNotSupported, "HTTP version is neither 1.0 nor 1.1")
	}
	return 0, bad("request line does not end with an HTTP version")
}

// checkMethod refuses the methods that concern proxies. TRACE keeps the connection, so
// its refusal waits until the whole head is known to be sound.
func checkMethod(hd *Head, method []byte) error {
	switch string(method) {
	case "CONNECT":
		return refuse(fasthttp.StatusMethodNotAllowed, "method CONNECT is not served")
	case "TRACE":
		hd.trace = true
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
