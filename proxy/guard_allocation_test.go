//go:build !race

package proxy

import (
	"testing"

	"hognose/internal/config"
)

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

func TestRouteAllocations(t *testing.T) {
	rt, err := NewRouter([]*config.Server{server(t, "80", "www.example.com", "/", "/static/", "= /exact", "/blog/")}, tell)
	if err != nil {
		t.Fatal(err)
	}
	run := newRun(rt.Guard("0.0.0.0:80"))
	run.readString(t, browserRequest)
	if n := testing.AllocsPerRun(100, func() {
		if loc, err := rt.Route("0.0.0.0:80", &run.ex, &run.hd); err != nil || loc.prefix != "/blog/" {
			t.Fatal(loc, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per request; want none", n)
	}
}

func TestAccessLogAllocations(t *testing.T) {
	e, _ := logEntry(t, browserRequest)
	for _, format := range []string{config.FormatCombined, config.FormatJSON} {
		l := NewAccessLog(func(err error) { t.Error(err) })
		l.SetFormat(format)
		l.on.Store(true) // no file: lines go nowhere
		for range 2000 {
			l.Log(e.ex, e.line, 1)
		}
		if n := testing.AllocsPerRun(1000, func() { l.Log(e.ex, e.line, 1) }); n != 0 {
			t.Errorf("%s: %v allocations per line; want none", format, n)
		}
		l.Close()
	}
}
