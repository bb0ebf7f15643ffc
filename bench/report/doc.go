// Package report turns measurements into tables and documents. It measures
// nothing and knows no peer but the one that the others are compared with.
//
// A Run holds cases, a case holds peers, and a peer holds one Sample per round.
// Rounds are interleaved: in each round every peer is measured once, one right
// after the other. So a ratio is computed within a round, where both sides saw
// the same machine, and the median of these ratios is reported; a ratio of
// medians would mix rounds.
package report
