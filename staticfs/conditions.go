package staticfs

import (
	"bytes"
	"net/http"
	"time"

	"hognose/internal/exchange"
)

// conditions are the preconditions of a request (RFC 9110 section 13.1) and its Range. A
// field with one value that comes twice is set to empty, which is valid for none
// and so is ignored.
type conditions struct {
	hasMatch, match         bool // If-Match is there; one of its tags is ours
	hasNoneMatch, noneMatch bool // If-None-Match is there; one of its tags is ours
	modifiedSince           []byte
	unmodifiedSince         []byte
	ifRange                 []byte
	rangeField              []byte
}

// read collects the conditions of a request in one pass over its fields.
func (c *conditions) read(e *entry, fields []exchange.Field) {
	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		if len(name) == 0 {
			continue
		}
		switch name[0] | 0x20 {
		case 'r':
			if exchange.EqualFold(name, "range") {
				once(&c.rangeField, value)
			}
		case 'i':
			c.readIf(e, name, value)
		}
	}
}

func (c *conditions) readIf(e *entry, name, value []byte) {
	switch {
	case exchange.EqualFold(name, "if-none-match"):
		c.hasNoneMatch = true
		c.noneMatch = c.noneMatch || anyTag(value, e.etag(), weakly)
	case exchange.EqualFold(name, "if-modified-since"):
		once(&c.modifiedSince, value)
	case exchange.EqualFold(name, "if-range"):
		once(&c.ifRange, value)
	case exchange.EqualFold(name, "if-match"):
		c.hasMatch = true
		c.match = c.match || anyTag(value, e.etag(), strongly)
	case exchange.EqualFold(name, "if-unmodified-since"):
		once(&c.unmodifiedSince, value)
	}
}

func once(dst *[]byte, value []byte) {
	if *dst != nil || value == nil {
		value = []byte{}
	}
	*dst = value
}

// status returns 412, 304, or 200 for going on, in the order of RFC 9110 section 13.2.2.
func (c *conditions) status(e *entry) int {
	switch {
	case c.hasMatch:
		if !c.match {
			return http.StatusPreconditionFailed
		}
	case c.unmodifiedSince != nil:
		if t, ok := parseDate(c.unmodifiedSince); ok && e.modified().After(t) {
			return http.StatusPreconditionFailed
		}
	}
	switch {
	case c.hasNoneMatch:
		if c.noneMatch {
			return http.StatusNotModified
		}
	case c.modifiedSince != nil && c.notModified(e):
		return http.StatusNotModified
	}
	return http.StatusOK
}

// notModified evaluates If-Modified-Since. Clients nearly always send back what they were sent.
func (c *conditions) notModified(e *entry) bool {
	if bytes.Equal(c.modifiedSince, e.fields[0].Value) {
		return true
	}
	t, ok := parseDate(c.modifiedSince)
	return ok && !e.modified().After(t)
}

// rangeApplies evaluates If-Range (RFC 9110 section 13.1.5): a strong tag, or exactly our date.
func (c *conditions) rangeApplies(e *entry) bool {
	if c.ifRange == nil {
		return true
	}
	if bytes.Equal(c.ifRange, e.etag()) {
		return true
	}
	t, ok := parseDate(c.ifRange)
	return ok && t.Equal(e.modified())
}

// parseDate reads an HTTP-date in any of its three forms (RFC 9110 section 5.6.7).
func parseDate(b []byte) (time.Time, bool) {
	t, err := http.ParseTime(string(b))
	return t, err == nil
}

// How two entity tags are compared (RFC 9110 section 8.8.3.2).
const (
	strongly = false
	weakly   = true
)

// anyTag reports whether a list of entity tags names tag, which is a strong one, or is "*". Reading stops at junk.
func anyTag(list, tag []byte, weak bool) bool {
	if string(bytes.Trim(list, " \t")) == "*" {
		return true
	}
	for {
		list = bytes.TrimLeft(list, " \t,")
		opaque := list
		if bytes.HasPrefix(list, []byte("W/")) {
			opaque = list[2:]
		}
		n := tagLen(opaque)
		if n == 0 {
			return false
		}
		isWeak := len(opaque) < len(list)
		if (weak || !isWeak) && bytes.Equal(opaque[:n], tag) {
			return true
		}
		list = bytes.TrimLeft(opaque[n:], " \t")
		if len(list) > 0 && list[0] != ',' {
			return false
		}
	}
}

// tagLen returns the length of the quoted tag that b begins with, 0 if there is none.
func tagLen(b []byte) int {
	if len(b) < 2 || b[0] != '"' {
		return 0
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return i + 2
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}
