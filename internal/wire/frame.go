package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"hognose/internal/exchange"
)

// Sizes and flags of the stream; see struct hg_frame.
const (
	FrameLen = 24
	MaxHead  = 65536
	MaxFrame = 65536
	FileLen  = 16

	FrameHead  = 1
	FrameFin   = 2
	FrameFile  = 4
	FrameAbort = 8

	frameFlags = FrameHead | FrameFin | FrameFile | FrameAbort

	// Window is the number of body bytes of one response that may be under way unacknowledged.
	Window = 262144
)

// Frame is one decoded frame; its slices alias the buffer it was parsed from.
type Frame struct {
	ID     uint64
	Flags  uint32
	Head   []byte // set with FrameHead
	Body   []byte
	Offset uint64 // set with FrameFile
	Count  uint64 // set with FrameFile
}

// ErrShort says that the buffer does not hold the whole frame yet.
var ErrShort = errors.New("frame is not complete")

// ParseFrame decodes the frame at the start of b and returns how many bytes it takes. When b is only the beginning
// of a frame it returns ErrShort and the number of bytes that are needed in all, as far as that is known.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	if len(b) < FrameLen {
		return f, FrameLen, ErrShort
	}
	le := binary.LittleEndian
	length, flags, headLen := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[16:])
	f.ID, f.Flags = le.Uint64(b[8:]), flags
	switch {
	case flags&^uint32(frameFlags) != 0 || le.Uint32(b[20:]) != 0:
		return f, 0, fmt.Errorf("frame of request %#x has unknown flags %#x", f.ID, flags)
	case headLen > MaxHead || length > MaxHead+MaxFrame:
		return f, 0, fmt.Errorf("frame of request %#x is too large: %d bytes, head %d", f.ID, length, headLen)
	case headLen > length || (headLen != 0) != (flags&FrameHead != 0):
		return f, 0, fmt.Errorf("frame of request %#x has %d bytes and a head of %d, flags %#x", f.ID, length, headLen, flags)
	}
	n = FrameLen + int(length)
	if len(b) < n {
		return f, n, ErrShort
	}
	f.Head = b[FrameLen : FrameLen+headLen : FrameLen+headLen]
	f.Body = b[FrameLen+headLen : n : n]
	if flags&FrameFile != 0 {
		if len(f.Body) != FileLen {
			return f, 0, fmt.Errorf("file frame of request %#x has %d bytes; want %d", f.ID, len(f.Body), FileLen)
		}
		f.Offset, f.Count = le.Uint64(f.Body), le.Uint64(f.Body[8:])
		f.Body = nil
		if f.Offset > 1<<62 || f.Count > 1<<62 {
			return f, 0, fmt.Errorf("file frame of request %#x has offset %d and count %d", f.ID, f.Offset, f.Count)
		}
	}
	return f, n, nil
}

// AppendFrame appends a frame; ParseFrame reads it back. Workers do this in C; here it serves tests.
func AppendFrame(dst []byte, f Frame) []byte {
	le := binary.LittleEndian
	body := f.Body
	if f.Flags&FrameFile != 0 {
		body = le.AppendUint64(le.AppendUint64(nil, f.Offset), f.Count)
	}
	dst = le.AppendUint32(dst, uint32(len(f.Head)+len(body)))
	dst = le.AppendUint32(dst, f.Flags)
	dst = le.AppendUint64(dst, f.ID)
	dst = le.AppendUint32(dst, uint32(len(f.Head)))
	dst = le.AppendUint32(dst, 0)
	return append(append(dst, f.Head...), body...)
}

// Head is a decoded response head.
type Head struct {
	Status int
	Reason []byte
	Fields []exchange.Field
}

// ParseHead decodes a response head into h, reusing h.Fields. The result aliases b. It checks the form only; what
// the status and the fields may contain is for the caller to judge.
func ParseHead(h *Head, b []byte) error {
	h.Fields = h.Fields[:0]
	if len(b) < 2 {
		return errors.New("response head is cut off")
	}
	h.Status = int(binary.LittleEndian.Uint16(b))
	var err error
	if h.Reason, b, err = cut(b[2:]); err != nil {
		return err
	}
	if len(b) < 2 {
		return errors.New("response head is cut off")
	}
	count := int(binary.LittleEndian.Uint16(b))
	for b = b[2:]; count > 0; count-- {
		var f exchange.Field
		if f.Name, b, err = cut(b); err != nil {
			return err
		}
		if f.Value, b, err = cut(b); err != nil {
			return err
		}
		h.Fields = append(h.Fields, f)
	}
	if len(b) != 0 {
		return fmt.Errorf("response head has %d bytes too many", len(b))
	}
	return nil
}

// AppendHead appends a response head; ParseHead reads it back.
func AppendHead(dst []byte, h Head) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint16(dst, uint16(h.Status))
	dst = appendString(dst, h.Reason)
	dst = le.AppendUint16(dst, uint16(len(h.Fields)))
	for _, f := range h.Fields {
		dst = appendString(appendString(dst, f.Name), f.Value)
	}
	return dst
}

func appendString(dst, s []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func cut(b []byte) (s, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errors.New("response head is cut off")
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n > len(b)-2 {
		return nil, nil, fmt.Errorf("response head says %d bytes, %d are left", n, len(b)-2)
	}
	return b[2 : 2+n : 2+n], b[2+n:], nil
}

// Note types; see struct hg_note.
const (
	NoteLen    = 16
	NoteWindow = 1
	NoteCancel = 2
)

// AppendNote appends a message of the front to the worker that makes response id.
func AppendNote(dst []byte, typ, count uint32, id uint64) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, typ)
	dst = binary.LittleEndian.AppendUint32(dst, count)
	return binary.LittleEndian.AppendUint64(dst, id)
}
