package proxy

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

// fields reads the header lines (RFC 9112 section 5) up to the empty line, which must end p.
func (g *Guard) fields(ex *exchange.Exchange, hd *Head, p []byte) error {
	for n := 0; ; n++ {
		if len(p) >= 2 && p[0] == '\r' && p[1] == '\n' {
			if len(p) != 2 {
				return bad("request head goes on behind its empty line")
			}
			return nil
		}
		if n == g.cfg.MaxFields {
			return refuse(fasthttp.StatusRequestHeaderFieldsTooLarge, "request has too many header lines")
		}
		colon, class := nameEnd(p)
		if colon < 1 || colon == len(p) || p[colon] != ':' {
			return bad(badName(p, colon))
		}
		value := p[colon+1:]
		end := textEnd(value)
		if end+1 >= len(value) || value[end] != '\r' || value[end+1] != '\n' {
			return bad(badValue(value[end:]))
		}
		name := p[:colon:colon]
		p = value[end+2:]
		if class&bytePlain == 0 && !g.mapped(name) {
			hd.Dropped++
			continue
		}
		if err := fieldOf(ex, hd, name, trimSpace(value[:end:end])); err != nil {
			return err
		}
	}
}

// nameEnd returns the index of the first byte that cannot stand in a field name, and the
// classes that all the bytes before it share.
func nameEnd(p []byte) (int, uint8) {
	class := uint8(0xff)
	for i, c := range p {
		k := byteClass[c]
		if k&byteToken == 0 {
			return i, class
		}
		class &= k
	}
	return len(p), class
}

// mapped makes a name that has more than letters, digits and "-" safe to map to an environ key, or
// reports that it cannot. Only "_" can, when the configuration wants it: it becomes "-", so
// that "Content_Length" or "X_Forwarded_For" meet the same checks as the names that they
// would be mistaken for.
func (g *Guard) mapped(name []byte) bool {
	if !g.cfg.Underscores {
		return false
	}
	for _, c := range name {
		if byteClass[c]&bytePlain == 0 && c != '_' {
			return false
		}
	}
	for i, c := range name {
		if c == '_' {
			name[i] = '-'
		}
	}
	return true
}

// badName says what is wrong with a header line whose name ends at i.
func badName(p []byte, i int) string {
	switch {
	case i == len(p) || p[i] == '\r' || p[i] == '\n':
		return "header line has no colon"
	case i == 0 && (p[0] == ' ' || p[0] == '\t'):
		return "header line is folded"
	case i == 0:
		return "header name is empty"
	case p[i] == ' ' || p[i] == '\t':
		return "header name has white space in it or behind it"
	}
	return "header name is not a token"
}

// badValue says what is wrong with a header value that is followed by p.
func badValue(p []byte) string {
	if len(p) > 0 && p[0] == '\n' {
		return "header line ends with LF alone"
	}
	return "header value has a control character"
}

// fieldOf takes one header line: it keeps it for the application, or for the checks to come, or leaves it out.
func fieldOf(ex *exchange.Exchange, hd *Head, name, value []byte) error {
	k := kindOf(name)
	if k == kindOther {
		ex.Fields = append(ex.Fields, exchange.Field{Name: name, Value: value})
		return nil
	}
	if hd.has(k) && singletons&(1<<k) != 0 {
		return bad(duplicate(k))
	}
	hd.seen |= 1 << k
	switch k {
	case kindHost:
		hd.host = value
	case kindContentLength:
		hd.length = value
	case kindTransferEncoding:
		hd.coding = value
	case kindExpect:
		return expect(hd, value)
	case kindConnection:
		return connection(hd, value)
	case kindHop:
	case kindForwarded:
		hd.forwarded = true
		fallthrough
	default:
		ex.Fields = append(ex.Fields, exchange.Field{Name: name, Value: value})
	}
	return nil
}

// has reports whether a field of kind k came.
func (hd *Head) has(k kind) bool { return hd.seen&(1<<k) != 0 }

func expect(hd *Head, value []byte) error {
	if !exchange.EqualFold(value, "100-continue") {
		return refuse(fasthttp.StatusExpectationFailed, "expectation is not 100-continue")
	}
	hd.Expect = true
	return nil
}

// maxListed is how many fields one request may name in Connection.
const maxListed = 32

// connection reads Connection (RFC 9110 section 7.6.1).
func connection(hd *Head, value []byte) error {
	for len(value) > 0 {
		var option []byte
		option, value, _ = bytes.Cut(value, []byte{','})
		option = trimSpace(option)
		switch {
		case len(option) == 0:
		case exchange.EqualFold(option, "close"):
			hd.seen |= 1 << kindClose
		case exchange.EqualFold(option, "keep-alive"):
			hd.seen |= 1 << kindKeepAlive
		case isProtected(option):
		case len(hd.listed) == maxListed:
			return bad("Connection names too many fields")
		default:
			hd.listed = append(hd.listed, option)
		}
	}
	return nil
}

// dropListed leaves out the fields that Connection names.
func dropListed(ex *exchange.Exchange, listed [][]byte) {
	for _, name := range listed {
		kept := ex.Fields[:0]
		for _, f := range ex.Fields {
			if len(f.Name) != len(name) || !bytes.EqualFold(f.Name, name) {
				kept = append(kept, f)
			}
		}
		ex.Fields = kept
	}
}

// isProtected reports whether a field stays although Connection names it: who could make the front drop it could
// change who the client is taken for, or where its request ends.
func isProtected(name []byte) bool {
	switch kindOf(name) {
	case kindHost, kindAuthorization, kindForwarded, kindContentLength, kindContentType, kindContentRange:
		return true
	}
	return exchange.EqualFold(name, "cookie") || hasPrefixFold(name, "content-")
}
