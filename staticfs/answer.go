package staticfs

import (
	"net/http"
	"strconv"

	"hognose/internal/exchange"
)

// answer fills the response of ex with the file, and takes the caller's reference.
func (e *entry) answer(ex *exchange.Exchange) error {
	var c conditions
	c.read(e, ex.Fields)
	switch c.status(e) {
	case http.StatusPreconditionFailed:
		e.release()
		return exchange.Errorf(http.StatusPreconditionFailed, "file %q is not what the client's precondition asks for", e.key.name)
	case http.StatusNotModified:
		defer e.release()
		ex.Response.Status = http.StatusNotModified
		ex.Response.Fields = append(ex.Response.Fields, e.fields[:notModifiedFields]...)
		return nil
	}
	if ex.IsHead() { // ranges are for GET alone (RFC 9110 section 14.2)
		defer e.release()
		e.head(&ex.Response)
		return nil
	}
	if c.rangeField != nil && c.rangeApplies(e) {
		return e.answerRange(ex, c.rangeField)
	}
	e.whole(&ex.Response)
	return nil
}

// whole answers with all of the file.
func (e *entry) whole(r *exchange.Response) {
	e.head(r)
	e.content(r, span{0, e.stamp.size})
}

// head answers with all but the content. Fields are copied: r keeps its slice for the next response.
func (e *entry) head(r *exchange.Response) {
	r.Status = http.StatusOK
	r.Fields = append(r.Fields, e.fields[:]...)
	r.Length = e.stamp.size
}

// content makes s the body of r.
func (e *entry) content(r *exchange.Response, s span) {
	r.Length = s.n
	if e.inline() {
		r.Body = e.body[s.start : s.start+s.n]
		return
	}
	r.File = &exchange.FileRange{File: e, Offset: s.start, N: s.n}
	r.Owner = e
}

// answerRange answers with the ranges that the field asks for: one, several, none that exist, or, when
// the field cannot be followed, with the whole file.
func (e *entry) answerRange(ex *exchange.Exchange, field []byte) error {
	size := e.stamp.size
	var buf [maxRanges]span
	spans, ok := parseRanges(buf[:0], field, size)
	r := &ex.Response
	switch {
	case !ok:
		e.whole(r)
	case len(spans) == 0:
		defer e.release()
		plain(r, http.StatusRequestedRangeNotSatisfiable)
		r.Add("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
	case len(spans) == 1:
		r.Status = http.StatusPartialContent
		r.Fields = append(r.Fields, e.fields[:]...)
		r.Fields = append(r.Fields, exchange.Field{Name: []byte("Content-Range"), Value: spans[0].appendContentRange(nil, size)})
		e.content(r, spans[0])
	default:
		newMultipart(e, spans).answer(r)
	}
	return nil
}

// notAllowed answers a method other than GET and HEAD.
func notAllowed(ex *exchange.Exchange) {
	plain(&ex.Response, http.StatusMethodNotAllowed)
	ex.Response.Add("Allow", "GET, HEAD")
}

// redirectToSlash answers a directory that was asked for without its slash. The Location is a path: it cannot
// lead to another host, since it begins with exactly one slash, and it is right behind any proxy and port.
func redirectToSlash(ex *exchange.Exchange) {
	location := appendPath(make([]byte, 0, len(ex.Path)+len(ex.Query)+16), ex.Path)
	location = append(location, '/')
	if len(ex.Query) > 0 {
		location = appendQuery(append(location, '?'), ex.Query)
	}
	plain(&ex.Response, http.StatusMovedPermanently)
	ex.Response.Fields = append(ex.Response.Fields, exchange.Field{Name: []byte("Location"), Value: location})
	if ex.IsHead() {
		ex.Response.Body = nil
	}
}

// plain answers with a status and its text: these answers carry fields that an error page of the front could not.
func plain(r *exchange.Response, status int) {
	r.Status = status
	r.Body = []byte(strconv.Itoa(status) + " " + http.StatusText(status) + "\n")
	r.Length = int64(len(r.Body))
	r.Add("Content-Type", "text/plain; charset=utf-8")
}

// appendPath appends a decoded absolute path, percent-encoded, its leading slashes collapsed: browsers take
// "//x" and "/\x" for the host x.
func appendPath(dst, path []byte) []byte {
	for len(path) > 0 && (path[0] == '/' || path[0] == '\\') {
		path = path[1:]
	}
	dst = append(dst, '/')
	for _, c := range path {
		dst = appendEscaped(dst, c, isPathByte(c))
	}
	return dst
}

// appendQuery appends a raw query; what should have been encoded is.
func appendQuery(dst, query []byte) []byte {
	for _, c := range query {
		dst = appendEscaped(dst, c, isPathByte(c) || c == '?' || c == '%' || c == '[' || c == ']')
	}
	return dst
}

func appendEscaped(dst []byte, c byte, plain bool) []byte {
	if plain {
		return append(dst, c)
	}
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&15])
}

// isPathByte reports whether c stands for itself in a path: pchar and slash of RFC 3986.
func isPathByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '/':
		return true
	}
	return false
}
