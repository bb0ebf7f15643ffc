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
	// Inline is the size in bytes up to which a body is kept as bytes (nginx: client_body_buffer_size).
	Inline int
	// Memory is the size up to which a larger body is kept in a memfd. Beyond it the body goes to a file in Dir.
	Memory int64
	// Dir holds the files; "" is the system's directory for temporary files.
	Dir string
}

// maxMemory bounds the memory that all memfd bodies of the process take together; what exceeds it goes to disk.
const maxMemory = 64 << 20

// memoryUsed is the memory under all memfd bodies of this process, in bytes.
var memoryUsed atomic.Int64

// Body is a request body that has arrived completely.
type Body struct {
	bytes  []byte
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
	var err error
	if length < 0 || length <= int64(lim.Inline) {
		err = b.readInline(r, length, lim)
	} else {
		err = b.readFile(r, length, lim)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// readInline reads into memory, and goes over to a file when a body of unknown length grows beyond Inline.
func (b *Body) readInline(r io.Reader, length int64, lim Limits) error {
	size := lim.Inline + 1
	if length >= 0 {
		size = int(length)
	}
	buf := make([]byte, 0, min(size, 16<<10))
	for {
		if len(buf) == size && length >= 0 {
			break
		}
		if len(buf) > lim.Inline {
			b.n = 0
			return b.spill(buf, r, lim)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), size)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	b.bytes, b.n = buf, int64(len(buf))
	return nil
}

func (b *Body) readFile(r io.Reader, length int64, lim Limits) error {
	if err := b.open(length, lim); err != nil {
		return keepError(err)
	}
	return b.copy(r, lim)
}

func (b *Body) spill(head []byte, r io.Reader, lim Limits) error {
	if err := b.open(-1, lim); err != nil {
		return keepError(err)
	}
	if err := b.write(head, lim); err != nil {
		return keepError(err)
	}
	return b.copy(r, lim)
}

// open chooses the kind of file for a body of that length.
func (b *Body) open(length int64, lim Limits) (err error) {
	want := length
	if want < 0 {
		want = lim.Memory
	}
	if want <= lim.Memory && memoryUsed.Add(want) <= maxMemory {
		b.memory = want
		b.file, err = memFile()
		return err
	}
	if want <= lim.Memory {
		memoryUsed.Add(-want)
	}
	b.file, err = diskFile(lim.Dir)
	return err
}

func (b *Body) copy(r io.Reader, lim Limits) error {
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	for {
		n, rerr := r.Read(*bp)
		if n > 0 {
			if err := b.write((*bp)[:n], lim); err != nil {
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

// write appends p, moving from the memfd to disk when a body outgrows its share of memory.
func (b *Body) write(p []byte, lim Limits) error {
	if b.memory > 0 && b.n+int64(len(p)) > b.memory {
		disk, err := diskFile(lim.Dir)
		if err != nil {
			return err
		}
		mem := b.file
		b.file = disk
		_, err = io.Copy(disk, io.NewSectionReader(mem, 0, b.n))
		mem.Close()
		b.freeMemory()
		if err != nil {
			return err
		}
	}
	n, err := b.file.WriteAt(p, b.n)
	b.n += int64(n)
	return err
}

func (b *Body) freeMemory() {
	memoryUsed.Add(-b.memory)
	b.memory = 0
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

// Bytes returns the body when it is kept in memory, else nil.
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
	b.bytes = nil
	if b.file == nil {
		return nil
	}
	f := b.file
	b.file = nil
	b.freeMemory()
	return f.Close()
}
