package report

import (
	"math"
	"testing"
)

func TestSummarize(t *testing.T) {
	f := func(values []float64, want Summary) {
		t.Helper()
		if got := summarize(values); got != want {
			t.Errorf("%v: got %+v, want %+v", values, got, want)
		}
	}
	f(nil, Summary{})
	f([]float64{7}, Summary{7, 7, 7, 1})
	f([]float64{3, 1, 2}, Summary{2, 1, 3, 3})
	f([]float64{4, 1, 2, 3}, Summary{2.5, 1, 4, 4})
}

func rates(values ...float64) []Sample {
	var samples []Sample
	for _, value := range values {
		samples = append(samples, Sample{Rate: value})
	}
	return samples
}

func TestRatioIsTakenWithinEachRound(t *testing.T) {
	// The machine was twice as fast in the last two rounds. The ratio is 2 in
	// each round; medians of each side alone would say the same of any order.
	ours := Peer{Samples: rates(200, 400, 400)}
	theirs := Peer{Samples: rates(100, 200, 200)}
	if got := ours.Ratio(theirs, Rate); got != (Summary{2, 2, 2, 3}) {
		t.Errorf("got %+v, want 2 in three rounds", got)
	}
	// Ratio of medians: 300/200 = 1.5. Median of the ratios 3, 1, 1: 1.
	ours, theirs = Peer{Samples: rates(300, 200, 400)}, Peer{Samples: rates(100, 200, 400)}
	if got := ours.Ratio(theirs, Rate).Median; got != 1 {
		t.Errorf("got %v, want the median of the rounds' ratios, 1", got)
	}
}

func TestRatioSkipsRoundsWithoutBothSides(t *testing.T) {
	ours := Peer{Samples: []Sample{{Rate: 10}, {}, {Rate: 30}, {Rate: 40}}}
	theirs := Peer{Samples: []Sample{{Rate: 0}, {Rate: 5}, {Rate: 10}}}
	if got := ours.Ratio(theirs, Rate); got != (Summary{3, 3, 3, 1}) {
		t.Errorf("got %+v, want 3 from the one full round", got)
	}
	if got := ours.Ratio(Peer{}, Rate); got.Rounds != 0 || math.IsNaN(got.Median) {
		t.Errorf("ratio to nothing: got %+v, want no rounds", got)
	}
}
