package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, whole milliseconds, never negative. It is written as in nginx ("30s", "1m30s", "500ms", "1d"),
// or as a number of seconds, as in uWSGI (30).
type Duration time.Duration

// timeUnit is one unit of nginx's "Configuration file measurement units".
type timeUnit struct {
	name string
	span time.Duration
}

// timeUnits are in falling order, the order in which they may be combined.
func timeUnits() [6]timeUnit {
	return [6]timeUnit{
		{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour},
		{"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
	}
}

// ParseDuration reads nginx's notation: numbers with the units w, d, h, m, s and ms, largest first,
// each at most once, or a plain number of seconds.
func ParseDuration(s string) (Duration, error) {
	if n := digits(s); n > 0 && n == len(s) {
		s += "s"
	}
	units := timeUnits()
	var total time.Duration
	left := units[:]
	for rest := s; ; {
		n := digits(rest)
		number, err := strconv.ParseInt(rest[:n], 10, 64)
		if err != nil {
			return 0, badDuration(s)
		}
		name := unitName(rest[n:])
		for len(left) > 0 && left[0].name != name {
			left = left[1:]
		}
		if len(left) == 0 || number > (math.MaxInt64-int64(total))/int64(left[0].span) {
			return 0, badDuration(s)
		}
		total += time.Duration(number) * left[0].span
		left = left[1:]
		rest = strings.TrimLeft(rest[n+len(name):], " ")
		if rest == "" {
			return Duration(total), nil
		}
	}
}

// unitName returns the letters that s starts with.
func unitName(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "wdhms"))]
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration; write \"30s\", \"1m30s\", \"500ms\", \"2h\", or a number of seconds", shorten(s))
}

// String returns the notation that ParseDuration reads.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := time.Duration(d)
	for _, u := range timeUnits() {
		if u.name == "w" || rest < u.span { // weeks are read but not written: "14d" is plainer than "2w"
			continue
		}
		fmt.Fprintf(&b, "%d%s", rest/u.span, u.name)
		rest %= u.span
	}
	return b.String()
}

// Std returns the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d *Duration) decode(v any) error {
	switch v := v.(type) {
	case string:
		parsed, err := ParseDuration(v)
		*d = parsed
		return err
	case int64:
		if v < 0 || v > math.MaxInt64/int64(time.Second) {
			return expected("a duration", `"30s"`, v)
		}
		*d = Duration(v) * Duration(time.Second)
		return nil
	}
	return expected("a duration", `"30s", "500ms" or a whole number of seconds`, v)
}
