//go:build !race

package proxy

import "testing"

func TestGuardAllocations(t *testing.T) {
	run := newRun(testGuard())
	for _, req := range []string{
		browserRequest,
		r("POST /a%20b/../C HTTP/1.1\nHost: WWW.Example.com:8443\nContent-Length: 3\nConnection: x, y\nX_Z: dropped\nX-Forwarded-For: 1"),
	} {
		head := []byte(req)
		f := func() {
			var s HeadScanner
			if _, _, err := s.Scan(run.g, head); err != nil {
				t.Fatal(err)
			}
			if err := run.head(head); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%v allocations per request; want none", n)
		}
	}
}
