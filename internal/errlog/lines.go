package errlog

import (
	"bytes"
	"errors"
	"os"
	"time"
)

// maxLine bounds one line of an application's output, in bytes; a longer one is cut into several.
const maxLine = 16 << 10

// patience is how long the beginning of a line waits for its end.
const patience = time.Second

// Lines reads f until its end and gives each line to emit, without its line end. A line that stops in the middle, such as
// a prompt, is given after a moment of silence if f supports deadlines. The slice is valid during the call only.
// Lines returns when all writers of f have closed it, or when f is closed.
func Lines(f *os.File, emit func(line []byte)) {
	buf := make([]byte, 0, maxLine)
	for {
		if wait(f, len(buf) > 0) != nil {
			flush(buf, emit)
			return
		}
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = split(buf[:len(buf)+n], emit)
		switch {
		case err == nil && len(buf) < cap(buf):
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
			buf = flush(buf, emit)
		default:
			flush(buf, emit)
			return
		}
	}
}

// wait sets the deadline of the next read. Not every file knows deadlines.
func wait(f *os.File, partial bool) error {
	var deadline time.Time
	if partial {
		deadline = time.Now().Add(patience)
	}
	if err := f.SetReadDeadline(deadline); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	return nil
}

// split emits the complete lines of buf and moves the rest to its beginning.
func split(buf []byte, emit func([]byte)) []byte {
	rest := buf
	for {
		line, after, found := bytes.Cut(rest, []byte{'\n'})
		if !found {
			return buf[:copy(buf, rest)]
		}
		emit(bytes.TrimSuffix(line, []byte{'\r'}))
		rest = after
	}
}

// flush emits what there is of a line.
func flush(buf []byte, emit func([]byte)) []byte {
	if len(buf) > 0 {
		emit(buf)
	}
	return buf[:0]
}
