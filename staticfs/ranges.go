package staticfs

import (
	"bytes"
	"math"
	"strconv"
)

// maxRanges bounds the work of one request (CVE-2011-3192); one that asks for more gets the whole file.
const maxRanges = 16

// span is n bytes of a file from start on.
type span struct{ start, n int64 }

// parseRanges reads a Range field for a file of that size and appends the ranges that exist, in the
// order asked for. It is not ok when the field is to be ignored: another unit, bad syntax, too many or
// overlapping ranges, or a file without bytes (RFC 9110 section 14.2). When it is ok and nothing is returned, the answer is 416.
func parseRanges(dst []span, field []byte, size int64) (spans []span, ok bool) {
	unit, rest, found := bytes.Cut(field, []byte("="))
	if !found || !bytes.EqualFold(unit, []byte("bytes")) || size == 0 {
		return nil, false
	}
	count := 0
	for more := true; more; {
		var spec []byte
		spec, rest, more = bytes.Cut(rest, []byte(","))
		spec = bytes.Trim(spec, " \t")
		if len(spec) == 0 {
			continue
		}
		s, valid := parseSpec(spec, size)
		if count++; !valid || count > maxRanges {
			return nil, false
		}
		if s.n == 0 {
			continue
		}
		if overlaps(dst, s) {
			return nil, false
		}
		dst = append(dst, s)
	}
	return dst, count > 0
}

// parseSpec reads "first-", "first-last" or "-suffix"; the result has no bytes when the range does not exist.
func parseSpec(spec []byte, size int64) (s span, valid bool) {
	first, last, found := bytes.Cut(spec, []byte("-"))
	if !found {
		return s, false
	}
	if len(first) == 0 {
		n, ok := parseDigits(last)
		n = min(n, size)
		return span{size - n, n}, ok
	}
	start, ok := parseDigits(first)
	if !ok {
		return s, false
	}
	end := int64(math.MaxInt64)
	if len(last) > 0 {
		if end, ok = parseDigits(last); !ok || end < start {
			return s, false
		}
	}
	if start >= size {
		return s, true
	}
	return span{start, min(end, size-1) - start + 1}, true
}

// parseDigits reads a number; what exceeds an int64 is as good as the largest.
func parseDigits(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if d := int64(c - '0'); n > (math.MaxInt64-d)/10 {
			n = math.MaxInt64
		} else {
			n = n*10 + d
		}
	}
	return n, true
}

func overlaps(spans []span, s span) bool {
	for _, o := range spans {
		if s.start < o.start+o.n && o.start < s.start+s.n {
			return true
		}
	}
	return false
}

// appendContentRange appends the value of Content-Range (RFC 9110 section 14.4).
func (s span) appendContentRange(dst []byte, size int64) []byte {
	dst = append(dst, "bytes "...)
	dst = strconv.AppendInt(dst, s.start, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, s.start+s.n-1, 10)
	dst = append(dst, '/')
	return strconv.AppendInt(dst, size, 10)
}
