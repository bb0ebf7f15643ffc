package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes and flags of the queue; see struct hg_request.
const (
	RequestMagic  = 0x31514748
	RequestLen    = 40
	MaxVars       = 65539
	MaxInlineBody = 65536

	RequestBodyFD   = 1
	RequestBodyPipe = 2
)

// Request is the header of a queue message.
type Request struct {
	Front   uint32 // generation of the sending front
	ID      uint64
	Queued  uint64 // CLOCK_MONOTONIC nanoseconds
	BodyLen uint64
	VarsLen uint32
	Flags   uint32
}

// AppendRequest appends the header r; the packet and the inline body follow it.
func AppendRequest(dst []byte, r Request) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, RequestMagic)
	dst = le.AppendUint32(dst, r.Front)
	dst = le.AppendUint64(dst, r.ID)
	dst = le.AppendUint64(dst, r.Queued)
	dst = le.AppendUint64(dst, r.BodyLen)
	dst = le.AppendUint32(dst, r.VarsLen)
	return le.AppendUint32(dst, r.Flags)
}

// ParseRequestHeader decodes the header alone, and reports whether it is one.
func ParseRequestHeader(msg []byte) (Request, bool) {
	le := binary.LittleEndian
	if len(msg) < RequestLen || le.Uint32(msg) != RequestMagic {
		return Request{}, false
	}
	return Request{
		Front: le.Uint32(msg[4:]), ID: le.Uint64(msg[8:]), Queued: le.Uint64(msg[16:]),
		BodyLen: le.Uint64(msg[24:]), VarsLen: le.Uint32(msg[32:]), Flags: le.Uint32(msg[36:]),
	}, true
}

// ParseRequest splits a whole queue message. It is what a worker does in C; here it
// serves tests and tools. packet and body alias msg.
func ParseRequest(msg []byte) (r Request, packet, body []byte, err error) {
	if len(msg) < RequestLen {
		return r, nil, nil, fmt.Errorf("queue message has %d bytes; want %d or more", len(msg), RequestLen)
	}
	if binary.LittleEndian.Uint32(msg) != RequestMagic {
		return r, nil, nil, errors.New("queue message has a wrong magic number")
	}
	r, _ = ParseRequestHeader(msg)
	rest := msg[RequestLen:]
	if r.VarsLen > MaxVars || uint64(r.VarsLen) > uint64(len(rest)) {
		return r, nil, nil, fmt.Errorf("queue message says %d bytes of variables, %d are left", r.VarsLen, len(rest))
	}
	packet, body = rest[:r.VarsLen], rest[r.VarsLen:]
	inline := r.BodyLen
	if r.Flags&RequestBodyFD != 0 {
		inline = 0
	}
	if inline != uint64(len(body)) {
		return r, nil, nil, fmt.Errorf("queue message says %d bytes of body, %d are left", inline, len(body))
	}
	return r, packet, body, nil
}
