package proxy

import "encoding/binary"

// Classes of bytes, as bits.
const (
	byteToken  = 1 << iota // tchar (RFC 9110 section 5.6.2)
	bytePlain              // letter, digit or "-": a name made of these maps to one environ key and back
	byteTarget             // may stand in a request target
)

// byteClass holds the classes of each byte. It is never written.
var byteClass = makeByteClass()

func makeByteClass() (class [256]uint8) {
	for i := range class {
		c := byte(i)
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if letter || isDigit(c) || c == '-' {
			class[i] |= bytePlain | byteToken
		}
		if c > ' ' && c != 0x7f && c != '#' {
			class[i] |= byteTarget
		}
	}
	for _, c := range []byte("!#$%&'*+.^_`|~") {
		class[c] |= byteToken
	}
	return class
}

func isToken(s []byte) bool {
	for _, c := range s {
		if byteClass[c]&byteToken == 0 {
			return false
		}
	}
	return len(s) > 0
}

// textEnd returns the index of the first control character of p other than HT, or len(p).
func textEnd(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		if mayHaveControl(binary.LittleEndian.Uint64(p[i:])) {
			for j := i; j < i+8; j++ {
				if c := p[j]; c < ' ' && c != '\t' || c == 0x7f {
					return j
				}
			}
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c < ' ' && c != '\t' || c == 0x7f {
			return i
		}
	}
	return len(p)
}

// mayHaveControl reports whether one of eight bytes is below 0x20 or 0x7f. It has no false
// negatives: where a borrow makes it report too much, a true hit stands below it.
func mayHaveControl(x uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	low := (x - ones*0x20) &^ x
	y := x ^ ones*0x7f
	del := (y - ones) &^ y
	return (low|del)&high != 0
}

// trimSpace cuts optional white space (RFC 9110 section 5.6.3) off both ends.
func trimSpace(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}
