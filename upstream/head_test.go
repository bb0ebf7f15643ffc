package upstream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"hognose/internal/exchange"
)

func TestHead(t *testing.T) {
	f := func(in string, status int, reason, fields string) {
		t.Helper()
		if end := headEnd([]byte(in+"body\r\n\r\n"), 0); end != len(in) {
			t.Errorf("head %q ends at %d; want %d", in, end, len(in))
		}
		var h head
		if err := h.parse([]byte(in)); err != nil {
			t.Errorf("parse(%q): %v", in, err)
			return
		}
		if got := joinFields(h.fields); h.status != status || string(h.reason) != reason || got != fields {
			t.Errorf("parse(%q) = %d %q %q; want %d %q %q", in, h.status, h.reason, got, status, reason, fields)
		}
	}
	f("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 200, "OK", "A=b")
	f("HTTP/1.0 404 Not Found\r\n\r\n", 404, "Not Found", "")
	f("HTTP/1.1 204\r\n\r\n", 204, "", "")
	f("HTTP/1.1 204 \r\n\r\n", 204, "", "")
	f("HTTP/1.1 200 OK\nA: b\nC:d\n\n", 200, "OK", "A=b C=d")
	f("HTTP/1.1 200 OK\r\nA: b\nC:  d e \t\r\n\n", 200, "OK", "A=b C=d e")
	f("HTTP/1.1 200 OK\r\nStatus: 500 No\r\nA:\r\n\r\n", 200, "OK", "A=")
	f("Status: 201 Created\r\nA: b\r\n\r\n", 201, "Created", "A=b")
	f("A: b\r\nstatus: 500\r\n\r\n", 500, "", "A=b")
	f("Content-Type: text/plain\r\n\r\n", 200, "", "Content-Type=text/plain")
	f("Location: /x\r\n\r\n", 302, "", "Location=/x")
	f("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n", 200, "OK", "Set-Cookie=a=1 Set-Cookie=b=2")

	bad := func(in string) {
		t.Helper()
		var h head
		if err := h.parse([]byte(in)); err == nil {
			t.Errorf("parse(%q) = %d %q; want an error", in, h.status, joinFields(h.fields))
		}
	}
	bad("\r\n\r\n")
	bad("HTTP/1.1 20 OK\r\n\r\n")
	bad("HTTP/1.1 2000 OK\r\n\r\n")
	bad("HTTP/1.1 abc\r\n\r\n")
	bad("HTTP/1.1  200 OK\r\n\r\n")
	bad("HTTP/1.1 099 Low\r\n\r\n")
	bad("HTTP/2 200 OK\r\n\r\n")
	bad("HTTP/1.1\r\n\r\n")
	bad("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")
	bad("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n")
	bad("HTTP/1.1 200 OK\r\n: empty\r\n\r\n")
	bad("Status: no\r\n\r\n")
	bad("Status: 200\r\nStatus: 200\r\n\r\n")
	bad("SSH-2.0-OpenSSH_9.2\r\n\r\n")
}

func joinFields(fields []exchange.Field) string {
	var words []string
	for _, f := range fields {
		words = append(words, fmt.Sprintf("%s=%s", f.Name, f.Value))
	}
	return strings.Join(words, " ")
}

// FuzzHead: the end of a head is found wherever the bytes are split; what is parsed and adopted holds no byte that could end
// a line, and is read back the same.
func FuzzHead(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", "Status: 302\nLocation: /\n\n", "A: b\r\n\r\n", "\r\n\r\n", "HTTP/1.1 200\r\n a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "X: \x00\r\r\n\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		end := headEnd(in, 0)
		for seen := range in {
			early := headEnd(in[:seen], 0)
			if early == 0 && headEnd(in, seen) != end || early != 0 && early != end {
				t.Fatalf("%q, split at %d: the head ends at %d, %d; want %d", in, seen, early, headEnd(in, seen), end)
			}
		}
		var h head
		if end == 0 || h.parse(in[:end]) != nil {
			return
		}
		var r exchange.Response
		if r.Adopt(h.status, h.reason, h.fields) != nil {
			return
		}
		again := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", h.status, h.reason)
		for _, f := range h.fields {
			if bytes.ContainsAny(f.Name, "\r\n: ") || bytes.ContainsAny(f.Value, "\r\n") {
				t.Fatalf("%q gives field %q: %q", in, f.Name, f.Value)
			}
			again = fmt.Appendf(again, "%s: %s\r\n", f.Name, f.Value)
		}
		again = append(again, "\r\n"...)
		var second head
		if err := second.parse(again); err != nil || second.status != h.status || joinFields(second.fields) != joinFields(h.fields) {
			t.Fatalf("%q is read back as %v, %v", again, second, err)
		}
	})
}
