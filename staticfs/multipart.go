package staticfs

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"

	"hognose/internal/exchange"
)

// pieceSize is how much of a large file a multipart response reads at a time, in bytes.
const pieceSize = 64 << 10

// multipart streams several ranges as multipart/byteranges (RFC 9110 section 14.6). It owns a reference to the entry.
type multipart struct {
	entry    *entry
	spans    []span
	boundary string
	head     []byte // of the part that comes next
	part     int    // whose content comes next
	inPart   bool   // the head of part has been given out
	at       int64  // bytes of part given out
	buf      []byte
}

func newMultipart(e *entry, spans []span) *multipart {
	return &multipart{
		entry: e,
		spans: append([]span(nil), spans...),
		// Unguessable, so that no file can hold it: the generator is seeded by the system.
		boundary: fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()),
	}
}

// answer makes m the response r.
func (m *multipart) answer(r *exchange.Response) {
	r.Status = http.StatusPartialContent
	for _, f := range m.entry.fields {
		if string(f.Name) == "Content-Type" {
			f.Value = []byte("multipart/byteranges; boundary=" + m.boundary)
		}
		r.Fields = append(r.Fields, f)
	}
	r.Length = m.length()
	r.Stream = m
	r.Owner = m.entry
}

// length returns the size of the whole body.
func (m *multipart) length() int64 {
	n := int64(len(m.tail()))
	for _, s := range m.spans {
		n += int64(len(m.appendHead(nil, s))) + s.n
	}
	return n
}

func (m *multipart) appendHead(dst []byte, s span) []byte {
	dst = append(dst, "\r\n--"+m.boundary+"\r\nContent-Type: "...)
	dst = append(dst, m.entry.fields[2].Value...)
	dst = append(dst, "\r\nContent-Range: "...)
	dst = s.appendContentRange(dst, m.entry.stamp.size)
	return append(dst, "\r\n\r\n"...)
}

func (m *multipart) tail() string { return "\r\n--" + m.boundary + "--\r\n" }

// Next implements exchange.Stream.
func (m *multipart) Next() (p []byte, more bool, err error) {
	switch {
	case m.part > len(m.spans):
		return nil, false, io.EOF
	case m.part == len(m.spans):
		m.part++
		return []byte(m.tail()), false, nil
	case !m.inPart:
		m.inPart = true
		m.head = m.appendHead(m.head[:0], m.spans[m.part])
		return m.head, true, nil
	}
	s := m.spans[m.part]
	if p, err = m.content(s); err != nil {
		return nil, false, fmt.Errorf("cannot read file %q at %d: %w", m.entry.key.name, s.start+m.at, err)
	}
	if m.at += int64(len(p)); m.at == s.n {
		m.part, m.inPart, m.at = m.part+1, false, 0
	}
	return p, true, nil
}

// content returns the next piece of a part.
func (m *multipart) content(s span) ([]byte, error) {
	if m.entry.inline() {
		return m.entry.body[s.start : s.start+s.n], nil
	}
	if m.buf == nil {
		m.buf = make([]byte, pieceSize)
	}
	p := m.buf[:min(pieceSize, s.n-m.at)]
	if _, err := m.entry.ReadAt(p, s.start+m.at); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the file was truncated
		}
		return nil, err
	}
	return p, nil
}
