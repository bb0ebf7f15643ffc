package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"hognose/internal/exchange"
)

// Limits say where the bytes of a request body are kept.
type Limits struct {
	// Inline is the size in bytes up to which a body may travel beside its request (nginx: client_body_buffer_size).
	Inline int
	// Memory is the size up to which a larger body is kept in memory. Beyond it the body goes to a file in Dir.
	Memory int64
	// Dir holds the files; "" is the system's directory for temporary files.
	Dir string
}

// maxMemory bounds the memory of all bodies of the process that are larger than their Inline; what exceeds it goes to disk.
const maxMemory = 64 << 20

// memoryUsed is that memory now, in bytes.
var memoryUsed atomic.Int64

// bodyBlock is the size of the pieces of memory that larger bodies share.
const bodyBlock = 1 << 20

var bodyBlocks = sync.Pool{New: func() any { return new([bodyBlock]byte) }}

// Body is a request body that has arrived completely.
type Body struct {
	bytes  []byte
	block  *[bodyBlock]byte // what bytes is part of, or nil
	file   *os.File
	n      int64
	memory int64 // share of memoryUsed
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// ReadBody reads r to its end and keeps the bytes. length is the announced size, -1 when
// unknown; it only chooses the place. Errors of r are returned as they are; a
// body that cannot be kept is a StatusError: 507 when the disk is full, else 500.
func ReadBody(r io.Reader, length int64, lim Limits) (*Body, error) {
	b := &Body{}
	if err := b.read(r, length, lim); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Body) read(r io.Reader, length int64, lim Limits) error {
	if length > max(int64(lim.Inline), lim.Memory) || length > int64(lim.Inline) && !b.reserve(length) {
		return b.readFile(nil, r, lim)
	}
	if length >= 0 {
		b.allocate(int(length))
		n, err := io.ReadFull(r, b.bytes)
		b.bytes, b.n = b.bytes[:n], int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		return err
	}
	return b.readUnknown(r, lim)
}

// readUnknown reads a body of unknown length: memory grows up to its limits, then everything goes to a file.
func (b *Body) readUnknown(r io.Reader, lim Limits) error {
	b.bytes = make([]byte, 0, 4<<10)
	for {
		if len(b.bytes) == cap(b.bytes) && !b.grow(lim) {
			return b.readFile(b.bytes, r, lim)
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		b.n = int64(len(b.bytes))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow makes room for more bytes in memory, if the limits allow any.
func (b *Body) grow(lim Limits) bool {
	have := int64(cap(b.bytes))
	want := min(2*have, int64(lim.Inline))
	if want <= have {
		want = lim.Memory
		if want <= have || !b.reserve(want) {
			return false
		}
	}
	old := b.bytes
	b.allocate(int(want))
	b.bytes = b.bytes[:copy(b.bytes, old)]
	return true
}

// allocate makes bytes a piece of memory of n bytes.
func (b *Body) allocate(n int) {
	if n > 64<<10 && n <= bodyBlock {
		b.block = bodyBlocks.Get().(*[bodyBlock]byte)
		b.bytes = b.block[:n:n]
		return
	}
	b.bytes = make([]byte, n)
}

func (b *Body) reserve(n int64) bool {
	if memoryUsed.Add(n) > maxMemory {
		memoryUsed.Add(-n)
		return false
	}
	b.memory = n
	return true
}

// readFile writes head and what follows in r to a file.
func (b *Body) readFile(head []byte, r io.Reader, lim Limits) error {
	file, err := diskFile(lim.Dir)
	if err != nil {
		return keepError(err)
	}
	b.file, b.n = file, 0
	if err := b.write(head); err != nil {
		return keepError(err)
	}
	b.freeMemory()
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	for {
		n, rerr := r.Read(*bp)
		if n > 0 {
			if err := b.write((*bp)[:n]); err != nil {
				return keepError(err)
			}
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

func (b *Body) write(p []byte) error {
	n, err := b.file.WriteAt(p, b.n)
	b.n += int64(n)
	return err
}

func (b *Body) freeMemory() {
	memoryUsed.Add(-b.memory)
	if b.block != nil {
		bodyBlocks.Put(b.block)
	}
	b.memory, b.block, b.bytes = 0, nil, nil
}

func keepError(err error) error {
	code := http.StatusInternalServerError
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		code = http.StatusInsufficientStorage
	}
	return &exchange.StatusError{Code: code, Err: fmt.Errorf("cannot spool the request body: %w", err), Close: true}
}

// Len returns the size of the body in bytes.
func (b *Body) Len() int64 { return b.n }

// Bytes returns the body when it is kept in memory, else nil. They are valid until Close.
func (b *Body) Bytes() []byte { return b.bytes }

// File returns the file that holds the body, its offset unspecified, or nil when the body is kept in memory. It stays the Body's.
func (b *Body) File() *os.File { return b.file }

// Reader returns a new reader over the whole body.
func (b *Body) Reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, b.n)
	}
	return bytes.NewReader(b.bytes)
}

// Close gives everything back. Whoever was sent the descriptor keeps the file.
func (b *Body) Close() error {
	if b == nil {
		return nil
	}
	b.freeMemory()
	f := b.file
	b.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
