package config

import "strconv"

// Count is a number that may be left to hognose: 0 is "auto".
type Count int

// String returns the number, or "auto".
func (c Count) String() string {
	if c == 0 {
		return "auto"
	}
	return strconv.Itoa(int(c))
}

func (c *Count) decode(v any) error {
	switch v := v.(type) {
	case string:
		if v == "auto" {
			*c = 0
			return nil
		}
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			*c = Count(n)
			return nil
		}
	case int64:
		if v > 0 && v <= maxCount {
			*c = Count(v)
			return nil
		}
	}
	return expected(`"auto" or a number of at least 1`, `"auto" or 4`, v)
}

// maxCount keeps every counted thing far from overflows; each key has a tighter bound of its own.
const maxCount = 1 << 30
