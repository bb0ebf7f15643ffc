package exchange

import (
	ctls "crypto/tls"
	"io"
	"net/netip"
	"time"
)

// Proto is the protocol version of a request.
type Proto uint8

// The versions a request can arrive with.
const (
	HTTP10 Proto = 10
	HTTP11 Proto = 11
	HTTP2  Proto = 20
	HTTP3  Proto = 30
)

// String returns the version as SERVER_PROTOCOL and the access log write it.
func (p Proto) String() string {
	switch p {
	case HTTP10:
		return "HTTP/1.0"
	case HTTP11:
		return "HTTP/1.1"
	case HTTP2:
		return "HTTP/2.0"
	case HTTP3:
		return "HTTP/3.0"
	}
	return "HTTP/?"
}

// Field is one header field line (RFC 9110 section 5), or one uwsgi variable.
type Field struct {
	Name, Value []byte
}

// Handler answers an exchange: it fills ex.Response and returns nil, or returns
// an error that the front turns into an error page (see StatusError). It runs on
// the goroutine of the connection (HTTP/1) or of the stream (HTTP/2) and may block.
type Handler func(ex *Exchange) error

// Exchange is one request and its response.
type Exchange struct {
	// Method is the request method, a token, case kept (RFC 9110 section 9.1).
	Method []byte
	// Target is the origin-form request target exactly as sent: REQUEST_URI.
	Target []byte
	// Path is Target's path, percent-decoded once, slashes merged, dot segments
	// removed. Routing, files and PATH_INFO all use this one result.
	Path []byte
	// Query is Target after the first '?', raw, without it.
	Query []byte
	// Host is the host of the authority: lower case, no port, no final dot. Empty only for HTTP/1.0 without Host.
	Host []byte
	// Authority is the Host field (or :authority) as the client sent it, for HTTP_HOST.
	Authority []byte
	Proto     Proto
	// Fields are the header fields in wire order after the guard: no hop-by-hop
	// fields, no names that could be mistaken for others in an environ, no Host,
	// no Content-Length. X-Forwarded-* hold what the front vouches for.
	Fields []Field
	// ContentLength is the length of the body in bytes, -1 when it is not known yet (chunked).
	ContentLength int64
	// Body yields the request body, already de-chunked and limited; nil when there is
	// none. Its errors are StatusErrors (408, 413, 400).
	Body io.Reader

	// Remote is the client: the peer, or who a trusted proxy says it speaks for. Its
	// zero value means a Unix socket peer.
	Remote netip.AddrPort
	// Local is the address the connection arrived at.
	Local netip.AddrPort
	// Scheme is "http" or "https".
	Scheme string
	// TLS is the state of the client's TLS connection, nil without TLS.
	TLS *ctls.ConnectionState
	// ID is the request id: 32 hexadecimal digits (nginx: $request_id).
	ID []byte
	// Start is when the first byte of the request was seen.
	Start time.Time

	// ServerName is the server_name of the virtual host that answers: SERVER_NAME.
	ServerName string
	// DocumentRoot is the root of the location, if it has one: DOCUMENT_ROOT.
	DocumentRoot string
	// ScriptName is the mount point, "" or "/prefix" without a final slash: SCRIPT_NAME.
	ScriptName string
	// Params are extra variables for the application (nginx: uwsgi_param), or
	// those of an inbound uwsgi packet. They win over the computed ones.
	Params []Field

	// Gone reports, without blocking, whether the client has closed the connection.
	// Nil when that cannot be told.
	Gone func() bool

	Response Response
}

// Response is what a handler answers. At most one of Body, File and Stream is set.
type Response struct {
	// Status is the status code, 200 to 599, or 101 for an accepted upgrade.
	Status int
	// Reason is the reason phrase; empty means the standard one.
	Reason []byte
	// Fields are the header fields in order, already validated. Date, Server,
	// Connection, Transfer-Encoding and Content-Length are the front's to write.
	Fields []Field
	// Length is the length of the body, -1 when it is not known. For an answer to HEAD it is
	// what a GET would have had, or -1.
	Length int64
	// Body is the whole body when it is at hand.
	Body []byte
	// File is the whole body as a range of a file.
	File *FileRange
	// Stream yields the body piece by piece.
	Stream Stream
	// Close tells that the connection cannot be used for another request.
	Close bool
	// Owner, when set, is closed exactly once after the response has been
	// written or given up; until then Fields and the body stay valid.
	Owner io.Closer
}

// Stream is a response body that is made while it is sent.
type Stream interface {
	// Next returns the next piece of the body, valid until the next call. more
	// tells that another piece is already at hand, so that a flush may wait. At
	// the end it returns io.EOF; any other error means the body is cut short.
	Next() (p []byte, more bool, err error)
}

// FileRange is N bytes of File from Offset on.
type FileRange struct {
	File   FileReader
	Offset int64
	N      int64
}

// FileReader is what the front needs of a file: *os.File, or a shared descriptor of a cache.
type FileReader interface {
	io.ReaderAt
	// Fd returns the descriptor, for sendfile(2). It must support positioned reads.
	Fd() uintptr
}

// Field returns the value of the first request field with that name, which must be
// given in lower case, or nil.
func (ex *Exchange) Field(lower string) []byte {
	for i := range ex.Fields {
		if EqualFold(ex.Fields[i].Name, lower) {
			return ex.Fields[i].Value
		}
	}
	return nil
}

// EqualFold reports whether name equals lower, which is in lower case, by ASCII case folding.
func EqualFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// IsHead reports whether the method is HEAD, whose answers carry no body.
func (ex *Exchange) IsHead() bool { return string(ex.Method) == "HEAD" }

// Reset makes the response empty again, keeping the memory of Fields.
func (r *Response) Reset() {
	*r = Response{Fields: r.Fields[:0]}
}

// Add appends a header field.
func (r *Response) Add(name, value string) {
	r.Fields = append(r.Fields, Field{Name: []byte(name), Value: []byte(value)})
}

// Release closes Owner, if there is one, once.
func (r *Response) Release() error {
	o := r.Owner
	r.Owner = nil
	if o == nil {
		return nil
	}
	return o.Close()
}
