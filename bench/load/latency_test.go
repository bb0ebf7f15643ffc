package load

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	f := func(n int, p float64, want time.Duration) {
		t.Helper()
		var sorted []time.Duration
		for i := range n {
			sorted = append(sorted, time.Duration(i+1))
		}
		if got := percentile(sorted, p); got != want {
			t.Errorf("percentile %v of 1 to %d: got %d, want %d", p, n, got, want)
		}
	}
	f(0, 50, 0)
	f(1, 50, 1)
	f(1, 99, 1)
	f(100, 50, 50)
	f(100, 99, 99)
	f(100, 100, 100)
	f(101, 99, 100)
	f(10, 0, 1)
}

func TestSetLatenciesAndRate(t *testing.T) {
	result := Result{Requests: 3, Elapsed: 2 * time.Second}
	result.setLatencies([]time.Duration{3, 1, 2})
	if result.P50 != 2 || result.P99 != 3 || result.Max != 3 {
		t.Errorf("got %+v, want P50 2, P99 3 and Max 3", result)
	}
	if result.Rate() != 1.5 {
		t.Errorf("rate: got %v, want 1.5", result.Rate())
	}
	if rate := (Result{Requests: 3}).Rate(); rate != 0 {
		t.Errorf("rate without time: got %v, want 0", rate)
	}
}
