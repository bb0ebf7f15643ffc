package report

import "fmt"

// Goal is one promise about the base, checked against a run.
type Goal struct {
	Case   string
	Metric string
	Peer   string // compare with this peer; empty compares with a fixed limit
	Limit  float64
	Kind   GoalKind
}

// GoalKind says what Limit limits.
type GoalKind int

// Kinds of goals.
const (
	AtMost  GoalKind = iota // median of the metric, or of its ratio to Peer, is at most Limit
	AtLeast                 // the same, at least Limit
	NotMore                 // summed over the rounds, the count is not above Peer's
)

// Verdict is how a goal fared. Known is false when the run lacks the case or
// one of the peers.
type Verdict struct {
	Known, Met bool
	Text       string
}

// Check compares the base of a run with the goal.
func (g Goal) Check(r Run, baseName string) Verdict {
	c, ok := r.Find(g.Case)
	base, haveBase := c.Find(baseName)
	peer, havePeer := c.Find(g.Peer)
	known := ok && haveBase && base.Summary(g.Metric).Rounds > 0
	if g.Peer != "" {
		known = known && havePeer && peer.Summary(g.Metric).Rounds > 0
	}
	if !known {
		return Verdict{Text: g.String() + ": not measured"}
	}
	if g.Kind == NotMore {
		mine, theirs := total(base, g.Metric), total(peer, g.Metric)
		return g.verdict(mine <= theirs, fmt.Sprintf("%s against %s", formatNumber(mine), formatNumber(theirs)))
	}
	summary := base.Summary(g.Metric)
	if g.Peer != "" {
		summary = base.Ratio(peer, g.Metric)
	}
	met := summary.Median <= g.Limit
	if g.Kind == AtLeast {
		met = summary.Median >= g.Limit
	}
	return g.verdict(met, fmt.Sprintf("%.2f", summary.Median))
}

func (g Goal) verdict(met bool, measured string) Verdict {
	word := "NOT MET"
	if met {
		word = "met"
	}
	return Verdict{Known: true, Met: met, Text: fmt.Sprintf("%s: %s, %s", g, measured, word)}
}

// String says the goal in words.
func (g Goal) String() string {
	what := g.Case + ", " + heading(g.Metric)
	if g.Kind == NotMore {
		return what + " not above " + g.Peer
	}
	word := "at most"
	if g.Kind == AtLeast {
		word = "at least"
	}
	if g.Peer == "" {
		return fmt.Sprintf("%s %s %g", what, word, g.Limit)
	}
	return fmt.Sprintf("%s %s %g × %s", what, word, g.Limit, g.Peer)
}

func total(p Peer, key string) float64 {
	sum := 0.0
	for _, sample := range p.Samples {
		sum += sample[key]
	}
	return sum
}
