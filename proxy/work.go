package proxy

import (
	"bufio"
	"bytes"
	"sync"

	"github.com/valyala/fasthttp"

	"hognose/internal/exchange"
)

const (
	inSize  = 4 << 10 // first read buffer of a request (nginx: client_header_buffer_size)
	outSize = 4 << 10 // first write buffer of a response
	// keepSize is the largest buffer that goes back to the pool.
	keepSize = 64 << 10
)

// work is the memory of a connection while it serves requests.
type work struct {
	in      []byte // unread bytes are in[pos:]
	pos     int
	out     []byte
	ex      exchange.Exchange
	head    Head
	scanner HeadScanner
	header  fasthttp.RequestHeader
	source  bytes.Reader
	reader  *bufio.Reader // feeds header from source
	body    requestBody
	id      [32]byte
}

var workPool = sync.Pool{New: func() any {
	return &work{in: make([]byte, 0, inSize), out: make([]byte, 0, outSize), reader: bufio.NewReaderSize(nil, 4<<10)}
}}

func newWork() *work { return workPool.Get().(*work) }

// release gives w back to the pool.
func (w *work) release() {
	w.in, w.pos = shrink(w.in, inSize), 0
	w.out = shrink(w.out, outSize)
	w.resetRequest()
	workPool.Put(w)
}

func shrink(b []byte, size int) []byte {
	if cap(b) > keepSize {
		return make([]byte, 0, size)
	}
	return b[:0]
}

// resetRequest forgets the last request, keeping memory.
func (w *work) resetRequest() {
	fields, response := w.ex.Fields[:0], w.ex.Response.Fields[:0]
	w.ex = exchange.Exchange{Fields: fields}
	w.ex.Response.Fields = response
	w.head.reset()
	w.scanner = HeadScanner{}
	w.body = requestBody{}
}

// parse runs fasthttp's parser over a head.
func (w *work) parse(head []byte) error {
	w.source.Reset(head)
	if len(head) > w.reader.Size() {
		w.reader = bufio.NewReaderSize(nil, len(head))
	}
	w.reader.Reset(&w.source)
	w.header.Reset()
	return w.header.Read(w.reader)
}

// takeBack puts what a chunked body's reader had read too far in front of the connection again.
func (w *work) takeBack() {
	if rest := w.body.rest(); len(rest) > 0 {
		w.in, w.pos = append(w.in[:0], rest...), 0
	}
}

// buffered returns the bytes that have been read from the connection and belong to nobody yet.
func (w *work) buffered() []byte { return w.in[w.pos:] }
