package wire

import (
	"encoding/binary"
	"fmt"
)

// Control message types and descriptors; see struct hg_control.
const (
	ControlLen     = 16
	MaxControlText = 32768

	ControlFork     = 1
	ControlImported = 2
	ControlForked   = 3
	ControlExited   = 4
	ControlFailed   = 5
	ControlFront    = 6
	ControlDrop     = 7
	ControlStop     = 8
	ControlReady    = 9

	FDControl    = 3
	FDSettings   = 4
	FDQueue      = 5
	FDScoreboard = 6
)

// Control is a message between the master and a zygote or worker.
type Control struct {
	Type   uint32
	Worker uint32
	Arg    uint64
	Text   string
}

// AppendControl appends the message c.
func AppendControl(dst []byte, c Control) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, c.Type)
	dst = le.AppendUint32(dst, c.Worker)
	dst = le.AppendUint64(dst, c.Arg)
	return append(dst, c.Text...)
}

// ParseControl decodes a whole message.
func ParseControl(b []byte) (Control, error) {
	if len(b) < ControlLen || len(b) > ControlLen+MaxControlText {
		return Control{}, fmt.Errorf("control message has %d bytes", len(b))
	}
	le := binary.LittleEndian
	return Control{Type: le.Uint32(b), Worker: le.Uint32(b[4:]), Arg: le.Uint64(b[8:]), Text: string(b[ControlLen:])}, nil
}

// Pair is one key and value of the settings a zygote starts with.
type Pair struct{ Key, Value string }

// AppendSettings encodes the settings: pairs of 32-bit length and bytes.
func AppendSettings(dst []byte, pairs []Pair) []byte {
	for _, p := range pairs {
		for _, s := range [2]string{p.Key, p.Value} {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)))
			dst = append(dst, s...)
		}
	}
	return dst
}
