package spool

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// Queue is a first-in first-out spool of bytes for one response. Bytes stay in memory up to
// a limit, then go to a file up to another. It never refuses bytes: Full tells the writer to wait, and a broken file means
// that it is full as soon as the memory is. The caller serialises all calls.
type Queue struct {
	memory int   // limit of mem, in bytes
	disk   int64 // limit of the file; 0 never uses one
	dir    string

	mem    []byte // oldest bytes
	out    []byte // what Next returned last
	file   *os.File
	read   int64  // offset of the oldest byte in the file
	write  int64  // offset after the newest byte in the file
	tail   []byte // newest bytes, behind those in a broken file
	broken error  // why the file cannot be written any more
}

// Reset makes the queue empty with the given limits, keeping its memory when that is small.
func (q *Queue) Reset(memory int, disk int64, dir string) {
	mem, out := release(q.mem), release(q.out)
	*q = Queue{memory: memory, disk: disk, dir: dir, mem: mem[:0], out: out[:0]}
}

// Most responses fit into smallBlock bytes, which a queue keeps. Larger ones share blocks of largeBlock,
// so that a large response costs neither growing step by step nor garbage.
const (
	smallBlock = 16 << 10
	largeBlock = 256 << 10
)

var largeBlocks = sync.Pool{New: func() any { return new([largeBlock]byte) }}

// release empties b and gives it back when it is not small; it returns what is left to the queue.
func release(b []byte) []byte {
	switch {
	case cap(b) == largeBlock:
		largeBlocks.Put((*[largeBlock]byte)(b[:largeBlock]))
		return nil
	case cap(b) > smallBlock:
		return nil
	}
	return b[:0]
}

// extend appends p to b, going over to a large block when b is not small any more.
func extend(b, p []byte) []byte {
	n := len(b) + len(p)
	if n <= cap(b) || n <= smallBlock || n > largeBlock {
		return append(b, p...)
	}
	block := largeBlocks.Get().(*[largeBlock]byte)
	n = copy(block[:], b)
	release(b)
	return append(block[:n], p...)
}

// Spill lowers the limit of memory and moves what exceeds it to a file, which later bytes
// use too: for a reader that turned out to be slow. disk is the limit of the file.
func (q *Queue) Spill(memory int, disk int64, dir string) {
	if q.disk > 0 || disk <= 0 {
		return
	}
	q.memory, q.disk, q.dir = memory, disk, dir
	if len(q.mem) > memory {
		all := q.mem
		q.mem = append(make([]byte, 0, memory), all[:memory]...)
		q.Write(all[memory:])
		release(all)
	}
}

// Write appends p.
func (q *Queue) Write(p []byte) {
	switch {
	case len(q.tail) > 0 || q.broken != nil && q.read < q.write:
		q.tail = extend(q.tail, p)
	case q.broken != nil || q.disk == 0 || q.read == q.write && len(q.mem)+len(p) <= q.memory:
		q.mem = extend(q.mem, p)
	default:
		q.writeFile(p)
	}
}

// writeFile appends p to the file. When that fails, the bytes go behind what the file holds,
// in memory, and Full makes the writer wait from then on.
func (q *Queue) writeFile(p []byte) {
	if q.file == nil {
		q.file, q.broken = diskFile(q.dir)
	}
	if q.broken == nil {
		_, err := q.file.WriteAt(p, q.write)
		if err == nil {
			q.write += int64(len(p))
			return
		}
		q.broken = fmt.Errorf("cannot spool a response: %w", err)
	}
	q.Write(p)
}

// Next returns the next piece, at most about 64 KiB of what is in the file or all that is in
// memory, valid until the next call; nil when the queue is empty.
func (q *Queue) Next() ([]byte, error) {
	if len(q.mem) > 0 {
		q.mem, q.out = q.out[:0], q.mem
		return q.out, nil
	}
	if q.read == q.write {
		q.mem, q.tail = q.tail, q.mem[:0]
		if len(q.mem) == 0 {
			return nil, nil
		}
		return q.Next()
	}
	const piece = 64 << 10
	if cap(q.out) < piece {
		q.out = make([]byte, piece)
	}
	n, err := q.file.ReadAt(q.out[:min(piece, q.write-q.read)], q.read)
	if n == 0 {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("cannot read a spooled response: %w", err)
	}
	q.read += int64(n)
	if q.read == q.write {
		q.rewind()
	}
	return q.out[:n], nil
}

// rewind gives the disk space of a drained file back.
func (q *Queue) rewind() {
	q.read, q.write = 0, 0
	if err := q.file.Truncate(0); err != nil {
		q.broken = fmt.Errorf("cannot empty a spool file: %w", err)
	}
}

// Len returns the number of bytes that wait.
func (q *Queue) Len() int64 { return int64(len(q.mem)+len(q.tail)) + q.write - q.read }

// Full reports whether the writer should wait until the reader has taken something.
func (q *Queue) Full() bool {
	if q.broken != nil || q.disk == 0 {
		return len(q.mem)+len(q.tail) >= q.memory
	}
	return q.write-q.read >= q.disk
}

// Broken returns why bytes that exceed the memory cannot be kept in a file, or nil.
func (q *Queue) Broken() error { return q.broken }

// Take returns all bytes when they are in memory, for a response that is complete; they stay valid until Reset.
func (q *Queue) Take() ([]byte, bool) {
	if q.read != q.write || len(q.tail) > 0 {
		return nil, false
	}
	q.mem, q.out = q.out[:0], q.mem
	return q.out, true
}

// Close closes the file and gives memory back. What Next and Take returned is invalid then.
func (q *Queue) Close() error {
	q.mem, q.out, q.tail = release(q.mem), release(q.out), release(q.tail)
	f := q.file
	q.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
