package worker

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hognose/pyhost/python"
)

// TestLeaks: after many requests, 100,000 of them on the first Python, a worker holds what it held before.
func TestLeaks(t *testing.T) {
	for i, in := range pythons(t) {
		rounds := 1000 // of 8 requests
		if i == 0 && !testing.Short() {
			rounds = 12500
		}
		t.Run(in.Version, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t, options{python: in, settings: semantics})
			f := tr.fork(0).front(1)
			counted := tr.countBlocks(f)
			leakRounds(t, tr, f, 100)
			before := counted()
			leakRounds(t, tr, f, rounds)
			after := counted()
			if grown := after[0] - before[0]; grown > 100 || after[1] != before[1] {
				t.Errorf("%d memory blocks and %d descriptors; before %d and %d", after[0], after[1], before[0], before[1])
			}
		})
	}
}

// countBlocks returns a function that asks the worker for its memory blocks and descriptors.
func (tr *tree) countBlocks(f *front) func() [2]int {
	return func() (n [2]int) {
		tr.t.Helper()
		r := f.do(tr, get("/blocks"))
		if _, err := fmt.Sscan(r.body(), &n[0], &n[1]); err != nil {
			tr.t.Fatalf("%v: %v", r, err)
		}
		return n
	}
}

// leakRounds makes requests of many kinds, many at a time, and drops the responses.
func leakRounds(t *testing.T, tr *tree, f *front, rounds int) {
	t.Helper()
	body := bytes.Repeat([]byte("b"), 1000)
	kinds := []request{
		get("/one"), get("/generator"), post("/read?lines", body), get("/write"), get("/file?small"),
		get("/bad?value_crlf"), get("/one", "wsgi.input", "x"), method("HEAD", "/several"),
	}
	for range rounds {
		var ids []uint64
		for _, r := range kinds {
			ids = append(ids, tr.submit(r))
		}
		for _, id := range ids {
			f.expect(id).wait(tr)
			f.forget(id)
		}
	}
}

// TestValidator: the application under wsgiref.validate finds nothing wrong, with concurrent requests of all kinds.
func TestValidator(t *testing.T) {
	for _, in := range pythons(t) {
		t.Run(in.Version, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t, options{python: in, settings: python.Settings{Module: "validated", Chdir: "testdata"}, threads: 3})
			f := tr.fork(0).front(1)
			large := bytes.Repeat(append(bytes.Repeat([]byte("x"), 4999), 10), 50)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for i := range 200 {
						body := large[:i*13%1000]
						r := post("/?"+fmt.Sprint(i), body)
						if i%10 == 0 {
							r = withFile(t, r, large)
							body = large
						}
						if i%7 == 0 {
							r = get("/")
							body = nil
						}
						got := f.do(tr, r)
						if got.aborted() || got.head.Status != 200 || got.body() != string(body) {
							t.Errorf("got %v; want %d bytes", got, len(body))
							return
						}
					}
				})
			}
			wg.Wait()
			if log := tr.logs.String(); strings.Contains(log, "Traceback") || strings.Contains(log, "Warning") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}
