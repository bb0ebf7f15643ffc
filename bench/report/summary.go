package report

import "slices"

// Summary is what several rounds say about one number.
type Summary struct {
	Median, Min, Max float64
	Rounds           int
}

// summarize returns the zero Summary when there are no values.
func summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return Summary{Median: median, Min: sorted[0], Max: sorted[n-1], Rounds: n}
}

// Summary returns the median and range of one metric over the rounds.
func (p Peer) Summary(key string) Summary {
	var values []float64
	for _, sample := range p.Samples {
		if value, ok := sample[key]; ok {
			values = append(values, value)
		}
	}
	return summarize(values)
}

// Ratio returns the median and range of p's metric divided by the other's, each
// quotient taken within one round. A round that lacks one of the two, or has 0
// for the other, is left out.
func (p Peer) Ratio(other Peer, key string) Summary {
	var quotients []float64
	for round := range min(len(p.Samples), len(other.Samples)) {
		mine, haveMine := p.Samples[round][key]
		theirs, haveTheirs := other.Samples[round][key]
		if haveMine && haveTheirs && theirs != 0 {
			quotients = append(quotients, mine/theirs)
		}
	}
	return summarize(quotients)
}
