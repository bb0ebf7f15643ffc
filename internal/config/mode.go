package config

import (
	"errors"
	"fmt"
	"strconv"
)

// Mode is a set of permission bits, written in octal as a string: "660".
type Mode uint32

// ParseMode reads one to four octal digits, up to "777".
func ParseMode(s string) (Mode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 || len(s) > 4 {
		return 0, fmt.Errorf("%q is not a mode; write octal permissions as a string, such as \"660\"", shorten(s))
	}
	return Mode(n), nil
}

// String returns three octal digits.
func (m Mode) String() string { return fmt.Sprintf("%03o", uint32(m)) }

func (m *Mode) decode(v any) error {
	switch v := v.(type) {
	case string:
		parsed, err := ParseMode(v)
		*m = parsed
		return err
	case bool:
		return errors.New("expected octal permissions as a string; what uWSGI means by its bare \"chmod-socket\" is \"666\"")
	case int64:
		return fmt.Errorf("expected octal permissions as a string such as \"660\"; found the integer %d, "+
			"which could be octal or decimal", v)
	}
	return expected("octal permissions as a string", `"660"`, v)
}
