package report

import "testing"

func TestFormatNumber(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := formatNumber(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
	f(0, "0")
	f(4, "4")
	f(0.4249, "0.42")
	f(7.12, "7.1")
	f(35.25, "35.2")
	f(160.4, "160")
	f(1234.5, "1,235")
	f(33149, "33,100")
	f(1000050, "1,000,100")
	f(-1234.5, "-1,235")
}

func TestFormatRange(t *testing.T) {
	f := func(s Summary, want string) {
		t.Helper()
		if got := formatRange(s); got != want {
			t.Errorf("%+v: got %q, want %q", s, got, want)
		}
	}
	f(Summary{}, "–")
	f(Summary{Median: 2, Min: 2, Max: 2, Rounds: 1}, "2")
	f(Summary{Median: 33100, Min: 33090, Max: 33110, Rounds: 3}, "33,100")
	f(Summary{Median: 7.12, Min: 6.9, Max: 8, Rounds: 3}, "7.1 (6.9–8)")
}
