package e2e

import "testing"

// TestMultiprocessing: a pool of processes inside a request works, and can be ended: SIGTERM does to its processes what it does anywhere.
func TestMultiprocessing(t *testing.T) {
	s := start(t, site{module: "lively:app"}.String())
	for range 20 {
		s.get("/pool").want(t, 200, "[0, 1, 4, 9, 16]")
	}
}
