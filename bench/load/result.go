package load

import (
	"fmt"
	"time"
)

// Result is what one client saw in one measurement.
type Result struct {
	Requests  int           // complete answers
	Bytes     int           // of these answers with their heads; 0 when not counted
	Elapsed   time.Duration // time in which they came
	P50, P99  time.Duration // latency
	Max       time.Duration
	Failures  []string      // what went wrong, with counts; empty for a clean run
	ClientCPU time.Duration // CPU time of a load generator that is a process of its own
}

// Rate returns requests per second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

// countFailure appends "what: n" to failures when n is above 0.
func countFailure(failures []string, what string, n int) []string {
	if n == 0 {
		return failures
	}
	return append(failures, fmt.Sprintf("%s: %d", what, n))
}
