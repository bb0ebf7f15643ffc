//go:build !race

package staticfs

import (
	"testing"

	"hognose/internal/exchange"
)

// TestAllocations: a hit on a small file, and a 304, cost no memory; a descriptor costs its FileRange.
func TestAllocations(t *testing.T) {
	s := newSite(t, map[string]string{"small.css": content("x", 1024), "large.js": content("x", 100<<10), "d/index.html": "index"})
	f := func(ex *exchange.Exchange, status int, want float64) {
		t.Helper()
		must(t, s.fs.Serve(ex))
		if ex.Response.Status != status {
			t.Fatalf("GET %s = %d; want %d", ex.Target, ex.Response.Status, status)
		}
		must(t, ex.Response.Release())
		if got := testing.AllocsPerRun(100, func() { serveOnce(s.fs, ex) }); got != want {
			t.Errorf("GET %s, %d: %v allocations; want %v", ex.Target, status, got, want)
		}
	}
	f(request("GET", "/small.css", "Accept", "*/*", "If-Foo", "x"), 200, 0)
	f(request("GET", "/d/"), 200, 0)
	f(request("HEAD", "/large.js"), 200, 0)
	f(request("GET", "/large.js"), 200, 1)
	f(request("GET", "/small.css", "If-None-Match", `"6553f100-400"`), 304, 0)
	f(request("GET", "/large.js", "If-Modified-Since", date), 304, 0)
}

func serveOnce(f *FS, ex *exchange.Exchange) {
	ex.Response.Reset()
	if err := f.Serve(ex); err != nil {
		panic(err)
	}
	ex.Response.Release()
}
