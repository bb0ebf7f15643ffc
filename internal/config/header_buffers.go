package config

import (
	"errors"
	"strconv"
	"strings"
)

// HeaderBuffers are nginx's large_client_header_buffers, written "4 8k".
type HeaderBuffers struct {
	Number int  // how many buffers a request's header block may fill
	Size   Size // of one, in bytes: the longest request line
}

// Block returns the limit of a whole header block, in bytes.
func (h HeaderBuffers) Block() Size { return Size(h.Number) * h.Size }

// ParseHeaderBuffers reads "NUMBER SIZE".
func ParseHeaderBuffers(s string) (HeaderBuffers, error) {
	bad := errors.New(strconv.Quote(shorten(s)) + ` is not a number and a size; write "4 8k"`)
	words := strings.Fields(s)
	if len(words) != 2 {
		return HeaderBuffers{}, bad
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 0 || n > maxCount {
		return HeaderBuffers{}, bad
	}
	size, err := ParseSize(words[1])
	if err != nil {
		return HeaderBuffers{}, bad
	}
	return HeaderBuffers{n, size}, nil
}

// String returns the notation that ParseHeaderBuffers reads.
func (h HeaderBuffers) String() string { return strconv.Itoa(h.Number) + " " + h.Size.String() }

func (h *HeaderBuffers) decode(v any) error {
	s, ok := v.(string)
	if !ok {
		return expected("a number and a size", `"4 8k"`, v)
	}
	parsed, err := ParseHeaderBuffers(s)
	*h = parsed
	return err
}
