package proxy

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

// uwsgiVars reads the variables of an inbound uwsgi packet (nginx: uwsgi_params) with the rules that the guard
// has for HTTP requests. The server in front is believed about the client (REMOTE_ADDR, HTTPS) and its own variables; but what the client
// wrote passes through it, and what it wrote must not become anything else here.
type uwsgiVars struct {
	ex *exchange.Exchange
	hd *Head
	g  *Guard

	uri, info, query, script, length, addr, port, scheme, https []byte
}

// readUWSGI fills the request half of ex from the variables of a packet. It writes to the names of those that are header
// fields: HTTP_X_NAME becomes X-NAME. Variables that are neither known nor header fields go to ex.Params. Refusals are StatusErrors.
func (g *Guard) readUWSGI(ex *exchange.Exchange, hd *Head, vars []exchange.Field) error {
	hd.reset()
	clearRequest(ex)
	ex.Proto, ex.Scheme = exchange.HTTP11, "http"
	v := uwsgiVars{ex: ex, hd: hd, g: g}
	for _, p := range vars {
		if textEnd(p.Value) != len(p.Value) {
			return bad("uwsgi variable has a control character in its value")
		}
		if err := v.take(p.Name, p.Value); err != nil {
			return err
		}
	}
	for _, check := range []func() error{v.method, v.target, v.host, v.body, v.client} {
		if err := check(); err != nil {
			return err
		}
	}
	dropListed(ex, hd.listed)
	hd.KeepAlive, hd.Expect = false, false
	return nil
}

// take sorts one variable.
func (v *uwsgiVars) take(name, value []byte) error {
	switch string(name) {
	case "REQUEST_METHOD":
		v.ex.Method = value
	case "REQUEST_URI":
		v.uri = value
	case "PATH_INFO":
		v.info = value
	case "QUERY_STRING":
		v.query = value
	case "SCRIPT_NAME":
		v.script = value
	case "CONTENT_LENGTH":
		v.length = value
	case "REMOTE_ADDR":
		v.addr = value
	case "REMOTE_PORT":
		v.port = value
	case "REQUEST_SCHEME":
		v.scheme = value
	case "HTTPS":
		v.https = value
	case "CONTENT_TYPE":
		if len(value) > 0 {
			v.ex.Fields = append(v.ex.Fields, exchange.Field{Name: []byte("Content-Type"), Value: value})
		}
	case "SERVER_PROTOCOL":
		return v.proto(value)
	case "REQUEST_ID":
		if isRequestID(value) {
			v.ex.ID = value
		}
	default:
		return v.other(name, value)
	}
	return nil
}

// other takes a header field, or a variable of the server in front.
func (v *uwsgiVars) other(name, value []byte) error {
	field, isField := bytes.CutPrefix(name, []byte("HTTP_"))
	if !isVariable(name) || isField && len(field) == 0 {
		v.hd.Dropped++
		return nil
	}
	if !isField {
		if len(value) == 0 && (string(name) == "SERVER_NAME" || string(name) == "SERVER_PORT") {
			return nil // PEP 3333: these are never empty; nginx's $server_name may be
		}
		v.ex.Params = append(v.ex.Params, exchange.Field{Name: name, Value: value})
		return nil
	}
	for i, c := range field {
		if c == '_' {
			field[i] = '-'
		}
	}
	switch kindOf(field) {
	case kindContentLength, kindContentType, kindTransferEncoding, kindExpect:
		return nil // said by variables of their own, or settled between the client and the server in front
	}
	if len(v.ex.Fields) >= v.g.cfg.MaxFields {
		return refuse(fasthttp.StatusRequestHeaderFieldsTooLarge, "request has too many header fields")
	}
	return fieldOf(v.ex, v.hd, field, trimSpace(value))
}

// isVariable reports whether a name could be that of an environment variable: "wsgi.input" could not.
func isVariable(name []byte) bool {
	for _, c := range name {
		if c != '_' && !isDigit(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(name) > 0
}

// isRequestID reports whether s is what this front, or nginx's $request_id, would write.
func isRequestID(s []byte) bool {
	for _, c := range s {
		if unhex(c) > 15 {
			return false
		}
	}
	return len(s) == 32
}

func (v *uwsgiVars) proto(value []byte) error {
	switch string(value) {
	case "HTTP/1.0":
		v.ex.Proto = exchange.HTTP10
	case "HTTP/1.1", "":
	case "HTTP/2.0", "HTTP/2":
		v.ex.Proto = exchange.HTTP2
	case "HTTP/3.0", "HTTP/3":
		v.ex.Proto = exchange.HTTP3
	default:
		return bad("SERVER_PROTOCOL is no version of HTTP")
	}
	return nil
}

func (v *uwsgiVars) method() error {
	m := v.ex.Method
	if len(m) > maxMethod || !isToken(m) {
		return bad("REQUEST_METHOD is not a token of at most 32 bytes")
	}
	if string(m) == "TRACE" || string(m) == "CONNECT" {
		return refuse(fasthttp.StatusMethodNotAllowed, "method "+string(m)+" is not served")
	}
	return nil
}

// target settles what is requested. The server in front may have rewritten the path, so that PATH_INFO decides, and REQUEST_URI is
// only what the client once wrote.
func (v *uwsgiVars) target() error {
	if v.uri == nil {
		v.uri = []byte(encodePath(string(v.script) + string(v.info)))
		if len(v.query) > 0 {
			v.uri = append(append(v.uri, '?'), v.query...)
		}
	}
	if len(v.uri) == 0 || len(v.uri) > v.g.cfg.RequestLine {
		return refuse(fasthttp.StatusRequestURITooLong, "REQUEST_URI is empty or too long")
	}
	v.ex.Target, v.hd.target = v.uri, v.uri
	if err := v.g.target(v.ex, v.hd); err != nil {
		return err
	}
	v.line()
	if v.query != nil {
		if !isTargetText(v.query) {
			return bad("QUERY_STRING has a byte that a URI cannot have")
		}
		v.ex.Query = v.query
	}
	if v.hd.Asterisk || len(v.info) == 0 && len(v.script) == 0 {
		return nil
	}
	return v.path()
}

// path puts the path together from SCRIPT_NAME and PATH_INFO. Both are decoded already. Servers that name a mount may or may not have taken it
// off PATH_INFO: where REQUEST_URI does not tell, PATH_INFO that starts with it still has it.
func (v *uwsgiVars) path() error {
	full := append(append(v.hd.pathMem[:0:0], v.script...), v.info...)
	n := len(v.script)
	whole := n > 0 && bytes.HasPrefix(v.info, v.script) && (len(v.info) == n || v.info[n] == '/')
	if whole && !bytes.Equal(full, v.ex.Path) {
		full = v.info
	}
	if !isCleanPath(full) || n > 0 && !isMount(v.script) {
		return bad("SCRIPT_NAME and PATH_INFO are not a decoded path without dot segments")
	}
	v.ex.Path = full
	v.ex.ScriptName = string(v.script)
	return nil
}

// isCleanPath reports whether p is a path as appendPath makes it.
func isCleanPath(p []byte) bool {
	if len(p) == 0 || p[0] != '/' {
		return false
	}
	n, ok := cleanPath(bytes.Clone(p), false)
	return ok && n == len(p)
}

func isMount(script []byte) bool { return isCleanPath(script) && script[len(script)-1] != '/' }

// line is the request line for the access log, as the client must have written it.
func (v *uwsgiVars) line() {
	b := append([]byte(nil), v.ex.Method...)
	b = append(append(b, ' '), v.uri...)
	v.hd.Line = append(append(b, ' '), v.ex.Proto.String()...)
}

func (v *uwsgiVars) host() error {
	if !v.hd.has(kindHost) && v.hd.authority == nil {
		return nil // the server in front has answered for it
	}
	return checkHost(v.ex, v.hd)
}

func (v *uwsgiVars) body() error {
	if len(v.length) == 0 {
		return nil
	}
	n, ok := parseLength(v.length)
	if !ok {
		return bad("CONTENT_LENGTH is not a number of bytes")
	}
	v.ex.ContentLength = n
	return nil
}

// client settles who the client is and how it came. nginx says "unix:" of a client on a Unix socket.
func (v *uwsgiVars) client() error {
	v.ex.Remote = netip.AddrPort{}
	if len(v.addr) > 0 && string(v.addr) != "unix:" {
		a, ok := parseHop(v.addr)
		if !ok {
			return bad("REMOTE_ADDR is not an address")
		}
		port, err := strconv.ParseUint(string(v.port), 10, 16)
		if err != nil && len(v.port) > 0 {
			return bad("REMOTE_PORT is not a port")
		}
		v.ex.Remote = netip.AddrPortFrom(a, uint16(port))
	}
	switch {
	case string(v.scheme) == "https", v.scheme == nil && isOn(v.https):
		v.ex.Scheme = "https"
	case v.scheme != nil && string(v.scheme) != "http":
		return bad("REQUEST_SCHEME is neither http nor https")
	}
	return nil
}

func isOn(s []byte) bool { return exchange.EqualFold(s, "on") || string(s) == "1" }
