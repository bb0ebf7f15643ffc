package proxy

import (
	"bytes"
	"math"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

// checkFraming decides how long the body is (RFC 9112 section 6.3) and whether the connection lives on.
func checkFraming(ex *exchange.Exchange, hd *Head) error {
	switch {
	case hd.has(kindTransferEncoding) && hd.has(kindContentLength):
		return bad("both Transfer-Encoding and Content-Length")
	case hd.has(kindTransferEncoding):
		if err := checkCoding(ex.Proto, hd.coding); err != nil {
			return err
		}
		ex.ContentLength = -1
	case hd.has(kindContentLength):
		n, ok := parseLength(hd.length)
		if !ok {
			return bad("Content-Length is not a number of bytes")
		}
		ex.ContentLength = n
	}
	hd.KeepAlive = !hd.has(kindClose) && (ex.Proto == exchange.HTTP11 || hd.has(kindKeepAlive))
	// A client of HTTP/1.0 cannot wait for 100, and without a body there is nothing to wait with.
	hd.Expect = hd.Expect && ex.Proto == exchange.HTTP11 && ex.ContentLength != 0
	return nil
}

// parseLength reads Content-Length: digits only, and a 64-bit number.
func parseLength(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + uint64(c-'0') // 19 digits do not overflow 64 bits
	}
	return int64(n), n <= math.MaxInt64
}

// checkCoding accepts exactly "chunked". A well-formed list of other codings is something we do not know, 501 (RFC
// 9112 section 6.1); everything else is an attempt to be read in two ways.
func checkCoding(proto exchange.Proto, value []byte) error {
	if proto != exchange.HTTP11 {
		return bad("Transfer-Encoding in an HTTP/1.0 request")
	}
	if exchange.EqualFold(value, "chunked") {
		return nil
	}
	chunked := 0
	for rest, more := value, true; more; {
		var coding []byte
		coding, rest, more = bytes.Cut(rest, []byte{','})
		coding, _, _ = bytes.Cut(coding, []byte{';'})
		coding = trimSpace(coding)
		switch {
		case !isToken(coding), exchange.EqualFold(coding, "identity"):
			return bad("Transfer-Encoding is not a list of codings")
		case exchange.EqualFold(coding, "chunked"):
			chunked++
			if chunked > 1 || more {
				return bad("Transfer-Encoding has chunked twice or not at its end")
			}
		}
	}
	return refuse(fasthttp.StatusNotImplemented, "Transfer-Encoding is not chunked alone")
}
