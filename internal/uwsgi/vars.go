package uwsgi

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"hognose/internal/exchange"
)

// AppendRequest appends the packet of ex: nginx's uwsgi_params, SCRIPT_NAME for a
// mount, REQUEST_ID, the HTTP_ variables of the header fields (repeated fields
// joined with ", ", Cookie with "; ": RFC 9110 section 5.3, RFC 6265 section 5.4),
// then ex.Params, which win over computed variables of the same name.
//
// contentLength is the size of the body that will follow, -1 for none.
// The caller's guard has already dropped what must not become a variable.
func AppendRequest(dst []byte, ex *exchange.Exchange, contentLength int64) ([]byte, error) {
	start := len(dst)
	dst = beginPacket(dst)
	b := builder{dst: dst, params: ex.Params}
	b.request(ex)
	b.content(ex, contentLength)
	b.addresses(ex)
	b.fields(ex)
	for _, p := range ex.Params {
		b.dst = AppendVar(b.dst, string(p.Name), p.Value)
	}
	return finishPacket(b.dst, start)
}

// builder appends variables, leaving out those that a parameter replaces.
type builder struct {
	dst    []byte
	params []exchange.Field
}

func (b *builder) replaced(key string) bool {
	for i := range b.params {
		if string(b.params[i].Name) == key {
			return true
		}
	}
	return false
}

func (b *builder) bytes(key string, value []byte) {
	if !b.replaced(key) {
		b.dst = AppendVar(b.dst, key, value)
	}
}

func (b *builder) string(key, value string) {
	if !b.replaced(key) {
		b.dst = appendVarString(b.dst, key, value)
	}
}

func (b *builder) request(ex *exchange.Exchange) {
	b.bytes("REQUEST_METHOD", ex.Method)
	b.bytes("REQUEST_URI", ex.Target)
	b.bytes("QUERY_STRING", ex.Query)
	script, info := SplitPath(ex.ScriptName, ex.Path)
	b.string("SCRIPT_NAME", script)
	b.bytes("PATH_INFO", info)
	b.string("SERVER_PROTOCOL", ex.Proto.String())
	b.string("REQUEST_SCHEME", ex.Scheme)
	if ex.Scheme == "https" {
		b.string("HTTPS", "on")
	}
	if ex.DocumentRoot != "" {
		b.string("DOCUMENT_ROOT", ex.DocumentRoot)
	}
	b.bytes("REQUEST_ID", ex.ID)
}

func (b *builder) content(ex *exchange.Exchange, contentLength int64) {
	if v := ex.Field("content-type"); v != nil {
		b.bytes("CONTENT_TYPE", v)
	}
	if contentLength >= 0 {
		var tmp [20]byte
		b.bytes("CONTENT_LENGTH", strconv.AppendInt(tmp[:0], contentLength, 10))
	}
}

func (b *builder) addresses(ex *exchange.Exchange) {
	var tmp [64]byte
	b.bytes("REMOTE_ADDR", appendAddr(tmp[:0], ex.Remote))
	if ex.Remote.IsValid() {
		b.bytes("REMOTE_PORT", strconv.AppendUint(tmp[:0], uint64(ex.Remote.Port()), 10))
	}
	if ex.ServerName != "" {
		b.string("SERVER_NAME", ex.ServerName)
	} else {
		b.bytes("SERVER_NAME", ex.Host)
	}
	switch {
	case ex.Local.IsValid():
		b.bytes("SERVER_PORT", strconv.AppendUint(tmp[:0], uint64(ex.Local.Port()), 10))
	case ex.Scheme == "https":
		b.string("SERVER_PORT", "443")
	default:
		b.string("SERVER_PORT", "80")
	}
}

// appendAddr writes the address alone; nginx writes "unix:" for a Unix socket peer.
func appendAddr(dst []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return append(dst, "unix:"...)
	}
	return a.Addr().Unmap().AppendTo(dst)
}

func (b *builder) fields(ex *exchange.Exchange) {
	if len(ex.Authority) > 0 {
		b.bytes("HTTP_HOST", ex.Authority)
	}
	for i := range ex.Fields {
		f := &ex.Fields[i]
		if exchange.EqualFold(f.Name, "content-type") || repeated(ex.Fields[:i], f.Name) {
			continue
		}
		start := len(b.dst)
		b.field(f, ex.Fields[i+1:])
		if len(b.params) > 0 {
			n := int(binary.LittleEndian.Uint16(b.dst[start:]))
			if b.replaced(string(b.dst[start+2 : start+2+n])) {
				b.dst = b.dst[:start]
			}
		}
	}
}

// field appends HTTP_NAME with the value of f joined with those of the same name in rest.
func (b *builder) field(f *exchange.Field, rest []exchange.Field) {
	d := binary.LittleEndian.AppendUint16(b.dst, uint16(len("HTTP_")+len(f.Name)))
	d = append(d, "HTTP_"...)
	for _, c := range f.Name {
		switch {
		case 'a' <= c && c <= 'z':
			c -= 0x20
		case c == '-':
			c = '_'
		}
		d = append(d, c)
	}
	at := len(d)
	d = append(d, 0, 0)
	d = append(d, f.Value...)
	sep := ", "
	for i := range rest {
		if len(rest[i].Name) == len(f.Name) && bytes.EqualFold(rest[i].Name, f.Name) {
			if exchange.EqualFold(f.Name, "cookie") {
				sep = "; "
			}
			d = append(append(d, sep...), rest[i].Value...)
		}
	}
	// A joined value beyond 16 bits also exceeds MaxVars, so finishPacket refuses the packet.
	binary.LittleEndian.PutUint16(d[at:], uint16(len(d)-at-2))
	b.dst = d
}

func repeated(before []exchange.Field, name []byte) bool {
	for i := range before {
		if len(before[i].Name) == len(name) && bytes.EqualFold(before[i].Name, name) {
			return true
		}
	}
	return false
}

// SplitPath divides path at a mount point: SCRIPT_NAME and PATH_INFO (RFC 3875 section
// 4.1.13, PEP 3333). The mount must end at a segment boundary; where it does not, nothing is split off.
func SplitPath(script string, path []byte) (string, []byte) {
	if script == "" || len(path) < len(script) || string(path[:len(script)]) != script {
		return "", path
	}
	rest := path[len(script):]
	if len(rest) > 0 && rest[0] != '/' {
		return "", path
	}
	return script, rest
}
