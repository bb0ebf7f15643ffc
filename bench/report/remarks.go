package report

import (
	"fmt"
	"strings"
)

const (
	// disturbedAbove is the share of the machine, in per cent, that programs
	// outside the measurement may use before the round is called disturbed. Half
	// of it is the rounding of the kernel's own counters.
	disturbedAbove = 5
	// saturatedAbove is the share of its threads' time, in per cent, above which the
	// load generator is the bottleneck, not the server.
	saturatedAbove = 95
)

// remarks lists what a reader of the case must know: failures, and rounds whose
// numbers are worth less.
func remarks(c Case) []string {
	var list []string
	for _, peer := range c.Peers {
		for _, failure := range peer.Failures {
			list = append(list, fmt.Sprintf("FAILED %s: %s", peer.Name, oneLine(failure)))
		}
		if n := roundsAbove(peer, OtherCPU, disturbedAbove); n > 0 {
			list = append(list, fmt.Sprintf("%s: disturbed in %d of %d rounds, other programs used up to %.0f %% of the machine",
				peer.Name, n, len(peer.Samples), peer.Summary(OtherCPU).Max))
		}
		if n := roundsAbove(peer, ClientCPU, saturatedAbove); n > 0 {
			list = append(list, fmt.Sprintf("%s: in %d of %d rounds the load generator was the bottleneck; compare CPU per request, not requests/s",
				peer.Name, n, len(peer.Samples)))
		}
	}
	return list
}

// oneLine keeps a failure that quotes a server's log within its line of the
// report.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

func roundsAbove(p Peer, key string, limit float64) int {
	n := 0
	for _, sample := range p.Samples {
		if sample[key] > limit {
			n++
		}
	}
	return n
}
