package worker

import (
	"testing"
)

const hello = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world!\n"]
`

func TestHello(t *testing.T) {
	for _, in := range pythons(t) {
		t.Run(in.Version, func(t *testing.T) {
			tr := newTree(t, options{python: in, settings: app(t, hello)})
			p := tr.fork(0)
			f := p.front(1)
			for range 3 {
				r := f.do(tr, get("/"))
				if r.head.Status != 200 || string(r.head.Reason) != "OK" || r.body() != "Hello, world!\n" ||
					r.header("content-type") != "text/plain" || r.header("content-length") != "14" {
					t.Fatalf("got %v", r)
				}
			}
		})
	}
}
