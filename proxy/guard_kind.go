package proxy

import "hognose/internal/exchange"

// kind tells apart the header fields that the guard treats in their own way.
type kind uint8

const (
	kindOther kind = iota
	kindHost
	kindContentLength
	kindTransferEncoding
	kindConnection
	kindExpect
	kindForwarded // a proxy's statement about the client; see Forwarder
	kindHop       // ends at this hop (RFC 9110 section 7.6.1), or must never reach an application (Proxy: httpoxy)
	kindContentType
	kindContentRange
	kindAuthorization
	kindProxyAuthorization
	kindRange
	kindIfRange
	kindIfMatch
	kindIfNoneMatch
	kindIfModifiedSince
	kindIfUnmodifiedSince

	// Not fields, but options of Connection.
	kindClose
	kindKeepAlive
)

// singletons are the kinds that may come once only: which of two would be obeyed
// differs from reader to reader (nginx: ngx_http_process_unique_header_line, and Content-Type and Range).
const singletons = 1<<kindHost | 1<<kindContentLength | 1<<kindTransferEncoding | 1<<kindExpect |
	1<<kindContentType | 1<<kindContentRange | 1<<kindAuthorization | 1<<kindProxyAuthorization |
	1<<kindRange | 1<<kindIfRange | 1<<kindIfMatch | 1<<kindIfNoneMatch | 1<<kindIfModifiedSince | 1<<kindIfUnmodifiedSince

// named is the kind if name is lower, else kindOther.
func named(name []byte, lower string, k kind) kind {
	if exchange.EqualFold(name, lower) {
		return k
	}
	return kindOther
}

// kindOf returns the kind of the field with that name. The length and first letter leave one candidate or none for most names.
func kindOf(name []byte) kind {
	if len(name) < 2 {
		return kindOther
	}
	switch name[0] | 0x20 {
	case 'a':
		return named(name, "authorization", kindAuthorization)
	case 'c':
		return kindOfC(name)
	case 'e':
		return named(name, "expect", kindExpect)
	case 'f':
		return named(name, "forwarded", kindForwarded)
	case 'h':
		if len(name) == 4 {
			return named(name, "host", kindHost)
		}
		return named(name, "http2-settings", kindHop)
	case 'i':
		return kindOfI(name)
	case 'k':
		return named(name, "keep-alive", kindHop)
	case 'p':
		return kindOfP(name)
	case 'r':
		return named(name, "range", kindRange)
	case 's':
		return prefixed(name, "ssl-client", kindForwarded)
	case 't':
		return kindOfT(name)
	case 'u':
		return named(name, "upgrade", kindHop)
	case 'x':
		return kindOfX(name)
	}
	return kindOther
}

func kindOfC(name []byte) kind {
	switch len(name) {
	case 10:
		return named(name, "connection", kindConnection)
	case 11:
		return named(name, "client-cert", kindForwarded)
	case 12:
		return named(name, "content-type", kindContentType)
	case 13:
		return named(name, "content-range", kindContentRange)
	case 14:
		return named(name, "content-length", kindContentLength)
	case 17:
		return named(name, "client-cert-chain", kindForwarded)
	}
	return kindOther
}

func kindOfI(name []byte) kind {
	switch len(name) {
	case 8:
		if k := named(name, "if-range", kindIfRange); k != kindOther {
			return k
		}
		return named(name, "if-match", kindIfMatch)
	case 13:
		return named(name, "if-none-match", kindIfNoneMatch)
	case 17:
		return named(name, "if-modified-since", kindIfModifiedSince)
	case 19:
		return named(name, "if-unmodified-since", kindIfUnmodifiedSince)
	}
	return kindOther
}

func kindOfP(name []byte) kind {
	switch len(name) {
	case 5:
		return named(name, "proxy", kindHop)
	case 16:
		return named(name, "proxy-connection", kindHop)
	case 19:
		return named(name, "proxy-authorization", kindProxyAuthorization)
	}
	return kindOther
}

func kindOfT(name []byte) kind {
	switch len(name) {
	case 2:
		return named(name, "te", kindHop)
	case 7:
		return named(name, "trailer", kindHop)
	case 17:
		return named(name, "transfer-encoding", kindTransferEncoding)
	}
	return kindOther
}

func kindOfX(name []byte) kind {
	if len(name) == 9 {
		return named(name, "x-real-ip", kindForwarded)
	}
	for _, prefix := range [...]string{"x-forwarded-", "x-client-cert", "x-ssl-client"} {
		if k := prefixed(name, prefix, kindForwarded); k != kindOther {
			return k
		}
	}
	return kindOther
}

// prefixed is the kind if name starts with lower, else kindOther.
func prefixed(name []byte, lower string, k kind) kind {
	if hasPrefixFold(name, lower) {
		return k
	}
	return kindOther
}

func hasPrefixFold(name []byte, lower string) bool {
	return len(name) >= len(lower) && exchange.EqualFold(name[:len(lower)], lower)
}

// duplicate says which field came twice.
func duplicate(k kind) string {
	names := map[kind]string{
		kindHost: "Host", kindContentLength: "Content-Length", kindTransferEncoding: "Transfer-Encoding",
		kindExpect: "Expect", kindContentType: "Content-Type", kindContentRange: "Content-Range",
		kindAuthorization: "Authorization", kindProxyAuthorization: "Proxy-Authorization", kindRange: "Range",
		kindIfRange: "If-Range", kindIfMatch: "If-Match", kindIfNoneMatch: "If-None-Match",
		kindIfModifiedSince: "If-Modified-Since", kindIfUnmodifiedSince: "If-Unmodified-Since",
	}
	return names[k] + " comes twice"
}
