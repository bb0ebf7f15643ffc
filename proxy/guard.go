package proxy

import (
	"bytes"
	"errors"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

// GuardConfig are the limits and choices of the guard of one listening socket. As in nginx they are
// those of the socket's default server, because they are needed before the host is known.
type GuardConfig struct {
	RequestLine  int  // longest request line in bytes, then 414 (nginx: the size in large_client_header_buffers)
	HeaderBlock  int  // longest request head in bytes, then 431 (nginx: number × size)
	MaxFields    int  // most header lines, then 431 (nginx: max_headers)
	Underscores  bool // names with "_" are kept, and read as if they had "-" (nginx: underscores_in_headers)
	MergeSlashes bool // "//" in a path is "/" (nginx: merge_slashes)
}

// Guard decides what a request head means, or that it must not be answered. It reads the raw
// bytes itself, and accepts only what leaves one reading: where RFC 9112 allows a recipient to be lenient, it is not,
// because the next reader may be lenient in another way (request smuggling).
//
// A Guard is immutable and safe for concurrent use.
type Guard struct {
	cfg GuardConfig
}

// NewGuard returns a guard with the given limits.
func NewGuard(cfg GuardConfig) *Guard { return &Guard{cfg: cfg} }

// Head is what the guard finds out about a request besides the Exchange, and the memory it works in. One Head belongs to
// one connection and is used for request after request.
type Head struct {
	// Line is the request line as it came, without its line end, for the access log. Set for refused requests too, once it is complete.
	Line []byte
	// KeepAlive tells that the client wants to use the connection again (RFC 9112 section 9.3).
	KeepAlive bool
	// Expect tells that the client waits for "100 Continue" before it sends its body (RFC 9110 section 10.1.1).
	Expect bool
	// Asterisk tells that the request is OPTIONS *: it is about the server, and answered here, by RenderOptions.
	Asterisk bool
	// Dropped is the number of header lines that were left out because their names cannot be mapped safely.
	Dropped int

	// forwarded tells that the client sent fields in which proxies vouch for clients; see Forwarder.
	forwarded bool
	seen      uint32 // which kinds of fields came, by 1<<kind
	trace     bool
	target    []byte // as sent, before an absolute-form was taken apart
	authority []byte // of an absolute-form
	host      []byte // the Host field
	length    []byte // Content-Length
	coding    []byte // Transfer-Encoding
	listed    [][]byte

	pathMem, hostMem, targetMem, addrMem []byte
}

// reset forgets the last request and keeps the memory.
func (hd *Head) reset() {
	*hd = Head{
		listed:  hd.listed[:0],
		pathMem: hd.pathMem[:0], hostMem: hd.hostMem[:0], targetMem: hd.targetMem[:0], addrMem: hd.addrMem[:0],
	}
}

// Request reads one request head and fills the request half of ex, except for the connection's and the router's parts:
// Method, Target, Path, Query, Host, Authority, Proto, Fields and ContentLength. They alias head and hd, so both must stay as they
// are until the response has been written. With GuardConfig.Underscores it writes to head.
//
// head is the exact head, from the request line to the empty line, both included (see HeadScanner). h and herr are the result of fasthttp's
// parser on the same bytes: the two parsers must agree on what the request is and how long it is.
//
// A refusal is an *exchange.StatusError. When its Close is false (TRACE), ex is filled all the same and the connection may go on after the body.
func (g *Guard) Request(ex *exchange.Exchange, hd *Head, head []byte, h *fasthttp.RequestHeader, herr error) error {
	hd.reset()
	clearRequest(ex)
	rest, err := g.requestLine(ex, hd, head)
	if err != nil {
		return err
	}
	if err := g.fields(ex, hd, rest); err != nil {
		return err
	}
	if err := checkHost(ex, hd); err != nil {
		return err
	}
	if err := checkFraming(ex, hd); err != nil {
		return err
	}
	if err := checkAgreement(ex, hd, h, herr); err != nil {
		return err
	}
	dropListed(ex, hd.listed)
	if hd.trace {
		return &exchange.StatusError{Code: fasthttp.StatusMethodNotAllowed, Err: errors.New("method TRACE is not served")}
	}
	return nil
}

func clearRequest(ex *exchange.Exchange) {
	ex.Method, ex.Target, ex.Path, ex.Query, ex.Host, ex.Authority = nil, nil, nil, nil, nil, nil
	ex.Proto, ex.ContentLength = 0, 0
	ex.Fields = ex.Fields[:0]
}

// refuse is the answer to a request after which the bytes of the connection cannot be trusted any more.
func refuse(code int, reason string) error {
	return &exchange.StatusError{Code: code, Err: errors.New(reason), Close: true}
}

func bad(reason string) error { return refuse(fasthttp.StatusBadRequest, reason) }

// checkAgreement compares the guard's reading with fasthttp's: a request that two parsers read in two
// ways is an attack, or a bug in one of them.
func checkAgreement(ex *exchange.Exchange, hd *Head, h *fasthttp.RequestHeader, herr error) error {
	if herr != nil {
		// Its text is not for logs: it quotes the head, credentials and all.
		return bad("two parsers disagree on whether the request is well-formed")
	}
	length := h.ContentLength()
	if length == -2 { // "identity": no body
		length = 0
	}
	switch {
	case int64(length) != ex.ContentLength, h.IsHTTP11() != (ex.Proto == exchange.HTTP11),
		hd.has(kindContentLength) != (h.ContentLength() >= 0):
		return bad("two parsers disagree on the length of the request")
	case !bytes.Equal(h.Method(), ex.Method), !bytes.Equal(h.RequestURI(), hd.target), !bytes.Equal(h.Host(), hd.host):
		return bad("two parsers disagree on what is requested")
	}
	return nil
}
