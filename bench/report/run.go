package report

// Run is everything one run of the benchmarks found. It is what the JSON output
// holds.
type Run struct {
	Machine  Machine  `json:"machine"`
	Settings Settings `json:"settings"`
	Cases    []Case   `json:"cases"`
}

// Settings are the choices of the run that change what the numbers mean.
type Settings struct {
	Date      string  `json:"date"` // yyyy-mm-dd
	Rounds    int     `json:"rounds"`
	Seconds   float64 `json:"seconds"` // of load per round
	AccessLog bool    `json:"access_log"`
}

// Case is one scenario with the peers it was measured on.
type Case struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Columns []string `json:"columns"` // keys of metrics, in the order of the table
	Ratios  []string `json:"ratios"`  // keys of metrics that are compared with each peer
	Peers   []Peer   `json:"peers"`
}

// Peer is what one server showed in one case.
type Peer struct {
	Name     string   `json:"name"`
	Samples  []Sample `json:"samples"`            // one per round
	Failures []string `json:"failures,omitempty"` // any of them makes the case fail
}

// Sample maps keys of metrics to values, in the metric's unit.
type Sample map[string]float64

// Find returns the case of that name.
func (r Run) Find(name string) (Case, bool) {
	for _, c := range r.Cases {
		if c.Name == name {
			return c, true
		}
	}
	return Case{}, false
}

// Failed tells whether anything went wrong in any case.
func (r Run) Failed() bool {
	for _, c := range r.Cases {
		for _, p := range c.Peers {
			if len(p.Failures) > 0 {
				return true
			}
		}
	}
	return false
}

// Find returns the peer of that name.
func (c Case) Find(name string) (Peer, bool) {
	for _, p := range c.Peers {
		if p.Name == name {
			return p, true
		}
	}
	return Peer{}, false
}

// base returns the peer that the others are compared with: the named one, or
// the first when that was not measured.
func (c Case) base(name string) Peer {
	if p, ok := c.Find(name); ok {
		return p
	}
	if len(c.Peers) == 0 {
		return Peer{}
	}
	return c.Peers[0]
}
