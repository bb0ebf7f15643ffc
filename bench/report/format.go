package report

import (
	"math"
	"strconv"
	"strings"
)

// formatRange writes "median (min–max)", or the median alone when all rounds
// look the same at this precision, and a dash when there are none.
func formatRange(s Summary) string {
	if s.Rounds == 0 {
		return "–"
	}
	median, low, high := formatNumber(s.Median), formatNumber(s.Min), formatNumber(s.Max)
	if low == high {
		return median
	}
	return median + " (" + low + "–" + high + ")"
}

// formatRatio writes the median of base ÷ peer, or nothing for base itself.
func formatRatio(base, peer Peer, key string) string {
	if base.Name == peer.Name {
		return ""
	}
	ratio := base.Ratio(peer, key)
	if ratio.Rounds == 0 {
		return "–"
	}
	return strconv.FormatFloat(ratio.Median, 'f', 2, 64)
}

// formatNumber writes about three digits, which is what such measurements
// carry: "0.42", "7.1", "35", "33,100".
func formatNumber(v float64) string {
	size := math.Abs(v)
	switch {
	case v == math.Trunc(v) && size < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size < 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case size < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size < 10_000:
		return thousands(int64(math.Round(v)))
	default:
		return thousands(int64(math.Round(v/100)) * 100)
	}
}

// thousands puts a comma between groups of three digits.
func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	rest := strconv.FormatInt(n%1000+1000, 10)[1:]
	return thousands(n/1000) + "," + rest
}

// Line writes one sample on one line, for the log of a run.
func Line(s Sample, keys []string) string {
	var parts []string
	for _, key := range keys {
		if value, ok := s[key]; ok {
			parts = append(parts, formatNumber(value)+" "+heading(key))
		}
	}
	return strings.Join(parts, ", ")
}
