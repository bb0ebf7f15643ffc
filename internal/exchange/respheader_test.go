package exchange

import "testing"

func TestAdopt(t *testing.T) {
	f := func(status int, reason string, kv []string, wantLength int64, want ...string) {
		t.Helper()
		var r Response
		if err := r.Adopt(status, []byte(reason), pairs(kv)); err != nil {
			t.Fatalf("%v: %v", kv, err)
		}
		if r.Status != status || r.Length != wantLength || len(r.Fields) != len(want) {
			t.Fatalf("%v: status %d, length %d, fields %q; want length %d and %q", kv, r.Status, r.Length, r.Fields, wantLength, want)
		}
		for i := range want {
			if string(r.Fields[i].Name) != want[i] {
				t.Errorf("%v: field %d is %q; want %q", kv, i, r.Fields[i].Name, want[i])
			}
		}
	}
	f(200, "OK", nil, -1)
	f(404, "", []string{"Content-Type", "text/plain", "Content-Length", "003"}, 3, "Content-Type")
	f(200, "OK", []string{"connection", "close", "Keep-Alive", "1", "TE", "x", "Trailer", "x", "Upgrade", "x", "Proxy-Connection", "x",
		"Date", "x", "SERVER", "x", "X-Accel-Redirect", "/x", "x-sendfile", "/x", "X-Accelerate", "kept", "Transfer-Encoding", "chunked"}, -1, "X-Accelerate")
	f(200, "OK", []string{"Set-Cookie", "a", "Set-Cookie", "b", "X-Empty", "", "X-Latin", "caf\xe9", "X-Tab", "a\tb"}, -1, "Set-Cookie", "Set-Cookie", "X-Empty", "X-Latin", "X-Tab")
}

func TestAdoptRefuses(t *testing.T) {
	f := func(status int, reason string, kv ...string) {
		t.Helper()
		var r Response
		if err := r.Adopt(status, []byte(reason), pairs(kv)); err == nil {
			t.Errorf("%d %q %q was accepted", status, reason, kv)
		}
	}
	f(101, "")
	f(199, "")
	f(600, "")
	f(200, "OK\r\nX: y")
	f(200, "", "", "x")
	f(200, "", "a b", "x")
	f(200, "", "a:", "x")
	f(200, "", "X", "a\r\nSet-Cookie: b")
	f(200, "", "X", "a\x00")
	f(200, "", "Content-Length", "1", "Content-Length", "1")
	f(200, "", "Content-Length", "-1")
	f(200, "", "Content-Length", "")
	f(200, "", "Content-Length", "1", "Transfer-Encoding", "chunked")
}

func pairs(kv []string) []Field {
	var fs []Field
	for i := 0; i < len(kv); i += 2 {
		fs = append(fs, Field{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return fs
}

func FuzzAdopt(f *testing.F) {
	f.Add(200, []byte("OK"), []byte("Content-Length"), []byte("1"))
	f.Fuzz(func(t *testing.T, status int, reason, name, value []byte) {
		var r Response
		if r.Adopt(status, reason, []Field{{name, value}}) != nil {
			return
		}
		var again Response
		if err := again.Adopt(r.Status, r.Reason, r.Fields); err != nil || len(again.Fields) != len(r.Fields) {
			t.Fatalf("%q is accepted once and refused then: %v", r.Fields, err)
		}
	})
}
