package load

import (
	"math"
	"slices"
	"time"
)

// percentile returns the smallest latency that at least p per cent of the
// sorted latencies do not exceed (nearest rank), or 0 when there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// setLatencies sorts latencies and fills in what a Result says about them.
func (r *Result) setLatencies(latencies []time.Duration) {
	slices.Sort(latencies)
	r.P50 = percentile(latencies, 50)
	r.P99 = percentile(latencies, 99)
	r.Max = percentile(latencies, 100)
}
