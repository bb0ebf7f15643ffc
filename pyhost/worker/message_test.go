package worker

import (
	"bytes"
	"strings"
	"testing"

	"hognose/internal/uwsgi"
	"hognose/internal/wire"
)

// FuzzMessage holds the C parser of queue messages against the Go ones: they accept the same, and see the same in it. Keys
// that come twice are the exception: C finds them when it fills the environ.
func FuzzMessage(f *testing.F) {
	for _, r := range []request{get("/"), get("/a?b=c", "HTTP_COOKIE", "a=1"), post("/", []byte("body")), get("/", "UWSGI_FILE", "x"), get("/", "", "x")} {
		msg := r.encode(f, 1)
		f.Add(msg)
		f.Add(msg[:len(msg)-1])
		f.Add(append(msg, 0))
	}
	f.Add(wire.AppendRequest(nil, wire.Request{VarsLen: 4}))
	f.Add(append(wire.AppendRequest(nil, wire.Request{VarsLen: 4, Flags: wire.RequestBodyFD, BodyLen: 1 << 40}), 0, 0, 0, 0))
	f.Add(append(wire.AppendRequest(nil, wire.Request{VarsLen: 10}), 0, 6, 0, 0, 1, 0, 'a', 1, 0, 'b'))
	f.Add(append(wire.AppendRequest(nil, wire.Request{VarsLen: 10}), 0, 6, 0, 0, 9, 0, 'a', 1, 0, 'b'))
	f.Fuzz(func(t *testing.T, msg []byte) {
		vars, body, err := parseMessage(msg)
		_, packet, wantBody, wantErr := wire.ParseRequest(msg)
		fields, packetErr := uwsgi.Parse(nil, packet)
		if wantErr == nil {
			wantErr = packetErr
		}
		if wantErr != nil && strings.Contains(wantErr.Error(), "comes twice") {
			return
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("C says %v; Go says %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(body, wantBody) || len(vars) != 2*len(fields) {
			t.Fatalf("C finds %d variables and %d bytes of body; Go %d and %d", len(vars)/2, len(body), len(fields), len(wantBody))
		}
		for i, v := range fields {
			if !bytes.Equal(vars[2*i], v.Name) || !bytes.Equal(vars[2*i+1], v.Value) {
				t.Fatalf("variable %d: C finds %q = %q; Go %q = %q", i, vars[2*i], vars[2*i+1], v.Name, v.Value)
			}
		}
	})
}
