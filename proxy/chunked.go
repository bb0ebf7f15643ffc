package proxy

import (
	"bufio"
	"io"
	"math"

	"hognose/internal/exchange"
)

// maxChunkExtra is the most that chunk extensions and trailers may take together, in bytes.
const maxChunkExtra = 16 << 10

// ChunkedReader decodes a chunked request body (RFC 9112 section 7.1), strictly: line ends are CRLF, sizes are hexadecimal digits
// and nothing else. Chunk extensions are skipped and trailers dropped. It returns io.EOF behind the empty
// line that ends the body and has then read no further. A violation is an *exchange.StatusError (400); other errors are those of
// the reader below, whose io.EOF becomes io.ErrUnexpectedEOF.
type ChunkedReader struct {
	r     *bufio.Reader
	left  int64 // of the chunk's data
	begun bool  // a chunk is open: its CRLF is still to come
	err   error

	body, chunks, overhead, extra int64
}

// NewChunkedReader returns a reader of the body that starts at r.
func NewChunkedReader(r *bufio.Reader) *ChunkedReader { return &ChunkedReader{r: r} }

// Read reads decoded bytes.
func (c *ChunkedReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, c.err
	}
	for c.left == 0 && c.err == nil {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.body += int64(n)
	if n == 0 && err != nil {
		c.err = unexpected(err)
	}
	return n, c.err
}

// next steps over what lies between the data of two chunks. At the end of the body it returns io.EOF.
func (c *ChunkedReader) next() error {
	if c.begun {
		if err := c.crlf(); err != nil {
			return err
		}
	}
	size, err := c.size()
	if err != nil {
		return err
	}
	c.chunks++
	// A chunk needs five bytes around its data at least. What goes far beyond that only makes the reader work.
	if c.overhead > maxChunkExtra+2*c.body+5*c.chunks {
		return bad("chunked body has more framing than data")
	}
	if size > 0 {
		c.left, c.begun = size, true
		return nil
	}
	if err := c.trailers(); err != nil {
		return err
	}
	return io.EOF
}

// size reads chunk-size [chunk-ext] CRLF.
func (c *ChunkedReader) size() (int64, error) {
	n := int64(0)
	for digits := 0; ; digits++ {
		b, err := c.byte()
		if err != nil {
			return 0, err
		}
		if d := unhex(b); d <= 15 {
			if n > math.MaxInt64>>4 || digits == 16 {
				return 0, bad("chunk size is too large")
			}
			n = n<<4 | int64(d)
			continue
		}
		switch {
		case digits == 0:
			return 0, bad("chunk size does not start with a hexadecimal digit")
		case b == ';':
			return n, c.extension()
		case b == '\r':
			return n, c.lf()
		}
		return 0, bad("chunk size is followed by neither CRLF nor an extension")
	}
}

// extension skips a chunk extension and the CRLF behind it.
func (c *ChunkedReader) extension() error {
	for {
		b, err := c.byte()
		if err != nil {
			return err
		}
		if c.extra++; c.extra > maxChunkExtra {
			return bad("chunk extensions are too large")
		}
		switch {
		case b == '\r':
			return c.lf()
		case b < ' ' && b != '\t' || b == 0x7f:
			return bad("chunk extension has a control character")
		}
	}
}

// trailers skips the trailer section. Fields that would change what the request means must not come this late (RFC 9110 section 6.5.1).
func (c *ChunkedReader) trailers() error {
	var mem [40]byte // longer names are ordinary
	for {
		name, err := c.trailerName(mem[:0])
		if err != nil || name == nil {
			return err
		}
		if isForbiddenTrailer(name) {
			return bad("trailer has a field that belongs into the head")
		}
		if err := c.extension(); err != nil { // a value is made of the same bytes
			return err
		}
	}
}

// trailerName appends a field name to mem, as far as it fits, and steps over its colon. It
// returns nil at the empty line.
func (c *ChunkedReader) trailerName(mem []byte) ([]byte, error) {
	for {
		b, err := c.byte()
		if err != nil {
			return nil, err
		}
		if c.extra++; c.extra > maxChunkExtra {
			return nil, bad("trailers are too large")
		}
		switch {
		case byteClass[b]&byteToken != 0:
			if len(mem) < cap(mem) {
				mem = append(mem, b)
			}
		case b == ':' && len(mem) > 0:
			return mem, nil
		case b == '\r' && len(mem) == 0:
			return nil, c.lf()
		default:
			return nil, bad("trailer line is not a header field")
		}
	}
}

func isForbiddenTrailer(name []byte) bool {
	return kindOf(name) != kindOther || exchange.EqualFold(name, "cookie") || hasPrefixFold(name, "content-")
}

func (c *ChunkedReader) crlf() error {
	b, err := c.byte()
	if err == nil && b != '\r' {
		err = bad("chunk data is not followed by CRLF")
	}
	if err != nil {
		return err
	}
	return c.lf()
}

func (c *ChunkedReader) lf() error {
	b, err := c.byte()
	if err == nil && b != '\n' {
		err = bad("CR without LF in the framing of a chunked body")
	}
	return err
}

// byte reads one byte of framing.
func (c *ChunkedReader) byte() (byte, error) {
	b, err := c.r.ReadByte()
	c.overhead++
	return b, unexpected(err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
