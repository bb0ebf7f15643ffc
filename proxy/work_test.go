package proxy

import "testing"

// TestWorkForgets: memory goes from client to client, what it held does not.
func TestWorkForgets(t *testing.T) {
	w := newWork()
	w.head.Line, w.head.KeepAlive = []byte("GET /secret HTTP/1.1"), true
	w.in = append(w.in, "secret"...)
	w.resetRequest()
	if w.head.Line != nil || w.head.KeepAlive {
		t.Errorf("after a request its line %q and keep-alive %v are still there", w.head.Line, w.head.KeepAlive)
	}
	w.release()
	if len(w.buffered()) != 0 {
		t.Errorf("released memory still holds %q", w.buffered())
	}
}
