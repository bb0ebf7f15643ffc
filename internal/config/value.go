package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decodable is a type with its own notation in the file. decode gets what the TOML library made of
// the value; its error says what was expected, by example, and what was found.
type decodable interface{ decode(v any) error }

// expected is the error of a value of the wrong type or form. example is TOML.
func expected(what, example string, v any) error {
	return fmt.Errorf("expected %s such as %s; found %s", what, example, describe(v))
}

// describe names a TOML value in an error message.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return "the string " + strconv.Quote(shorten(v))
	case int64:
		return "the integer " + strconv.FormatInt(v, 10)
	case float64:
		return "the float " + floatText(v)
	case bool:
		return "the boolean " + strconv.FormatBool(v)
	case time.Time:
		return "a date or time"
	case []any:
		return "an array"
	case []map[string]any:
		return "an array of tables"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("a value of type %T", v)
}

// floatText keeps a whole float apart from an integer.
func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if digits(strings.TrimPrefix(s, "-")) == len(strings.TrimPrefix(s, "-")) {
		s += ".0"
	}
	return s
}

// shorten keeps messages readable when somebody pastes a certificate into a key.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// hasControl reports whether s has a control character, DEL included.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// digits returns the length of the run of ASCII digits that s starts with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}
