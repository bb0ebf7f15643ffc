package config

import (
	"fmt"
	"math"
	"strconv"
)

// Size is a number of bytes, never negative. It is written as in nginx ("8k", "1m", "1g"; 1k is 1024 bytes), or as a plain number.
type Size int64

// Units of Size.
const (
	KB Size = 1 << 10
	MB Size = 1 << 20
	GB Size = 1 << 30
)

// ParseSize reads nginx's notation: a number with the unit k, m or g in either case, or a plain number of bytes.
func ParseSize(s string) (Size, error) {
	n := digits(s)
	number, err := strconv.ParseInt(s[:n], 10, 64)
	unit := Size(1)
	switch s[n:] {
	case "":
	case "k", "K":
		unit = KB
	case "m", "M":
		unit = MB
	case "g", "G":
		unit = GB
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || number > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("%q is not a size; write \"8k\", \"10m\", \"1g\", or a number of bytes", shorten(s))
	}
	return Size(number) * unit, nil
}

// String returns the notation that ParseSize reads.
func (s Size) String() string {
	switch {
	case s == 0:
		return "0"
	case s%GB == 0:
		return strconv.FormatInt(int64(s/GB), 10) + "g"
	case s%MB == 0:
		return strconv.FormatInt(int64(s/MB), 10) + "m"
	case s%KB == 0:
		return strconv.FormatInt(int64(s/KB), 10) + "k"
	}
	return strconv.FormatInt(int64(s), 10)
}

func (s *Size) decode(v any) error {
	switch v := v.(type) {
	case string:
		parsed, err := ParseSize(v)
		*s = parsed
		return err
	case int64:
		if v >= 0 {
			*s = Size(v)
			return nil
		}
	}
	return expected("a size", `"8m", "16k" or a number of bytes`, v)
}
