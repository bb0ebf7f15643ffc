package proxy

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"hognose/internal/exchange"
)

// What the guard accepts, net/http frames in the same way; and written out again from the exchange it means the same.
func FuzzGuard(f *testing.F) {
	for _, rule := range rules() {
		for _, req := range rule.requests {
			if len(req) < 1000 {
				f.Add([]byte(req))
			}
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		run := newRun(testGuard())
		if _, err := run.read(bytes.Clone(input)); err != nil {
			return
		}
		compareWithNetHTTP(t, run, input)
		roomy := testGuard() // written out, a request may be longer than it came
		roomy.cfg.RequestLine, roomy.cfg.HeaderBlock, roomy.cfg.MaxFields = 1<<20, 1<<20, 1<<10
		again := newRun(roomy)
		out := serialise(run)
		if _, err := again.read(out); err != nil {
			t.Fatalf("accepted %q, but not %q: %v", input, out, err)
		}
		compareRuns(t, run, again)
	})
}

func compareWithNetHTTP(t *testing.T, run *guardRun, input []byte) {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(input, []byte("\r\n")))))
	if err != nil {
		return // net/http is stricter in matters that do not concern the framing, such as URLs
	}
	ex := &run.ex
	if req.Method != string(ex.Method) || req.ContentLength != ex.ContentLength {
		t.Fatalf("%q: method %q, length %d; net/http has %q, %d", input, ex.Method, ex.ContentLength, req.Method, req.ContentLength)
	}
	if chunked := len(req.TransferEncoding) == 1; chunked != (ex.ContentLength == -1) {
		t.Fatalf("%q: length %d; net/http has codings %q", input, ex.ContentLength, req.TransferEncoding)
	}
	if !strings.EqualFold(req.Host, string(ex.Authority)) {
		t.Fatalf("%q: host %q; net/http has %q", input, ex.Authority, req.Host)
	}
	if got := req.ProtoAtLeast(1, 1); got != (ex.Proto == exchange.HTTP11) {
		t.Fatalf("%q: version %v; net/http has %q", input, ex.Proto, req.Proto)
	}
	if req.Close && run.hd.KeepAlive {
		t.Fatalf("%q: net/http closes the connection", input)
	}
}

// serialise writes the request that an exchange means.
func serialise(run *guardRun) []byte {
	ex := &run.ex
	var b []byte
	b = append(b, ex.Method...)
	b = append(append(b, ' '), ex.Target...)
	b = append(append(append(b, ' '), ex.Proto.String()...), "\r\n"...)
	line := func(name string, value []byte) {
		b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
	}
	if len(ex.Authority) > 0 {
		line("Host", ex.Authority)
	}
	if ex.ContentLength < 0 {
		line("Transfer-Encoding", []byte("chunked"))
	} else if run.hd.has(kindContentLength) {
		line("Content-Length", strconv.AppendInt(nil, ex.ContentLength, 10))
	}
	if run.hd.Expect {
		line("Expect", []byte("100-continue"))
	}
	if run.hd.KeepAlive {
		line("Connection", []byte("keep-alive"))
	} else {
		line("Connection", []byte("close"))
	}
	for _, f := range ex.Fields {
		line(string(f.Name), f.Value)
	}
	return append(b, "\r\n"...)
}

func compareRuns(t *testing.T, a, b *guardRun) {
	t.Helper()
	same := bytes.Equal(a.ex.Method, b.ex.Method) && bytes.Equal(a.ex.Target, b.ex.Target) && bytes.Equal(a.ex.Path, b.ex.Path) &&
		bytes.Equal(a.ex.Query, b.ex.Query) && bytes.Equal(a.ex.Host, b.ex.Host) && bytes.Equal(a.ex.Authority, b.ex.Authority) &&
		a.ex.Proto == b.ex.Proto && a.ex.ContentLength == b.ex.ContentLength && len(a.ex.Fields) == len(b.ex.Fields) &&
		a.hd.KeepAlive == b.hd.KeepAlive && a.hd.Expect == b.hd.Expect && a.hd.forwarded == b.hd.forwarded
	for i := range a.ex.Fields {
		same = same && bytes.Equal(a.ex.Fields[i].Name, b.ex.Fields[i].Name) && bytes.Equal(a.ex.Fields[i].Value, b.ex.Fields[i].Value)
	}
	if !same {
		t.Fatalf("written out again, a request changed: %+v; want %+v", b.ex, a.ex)
	}
}

// The decoded path never leaves the root, has no NUL, and decoding its own encoding changes nothing.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/", "/a%2f..%2fb", "/../", "/%25%32%30", "//a//", "/a/./b/..", "/%00", "/%"} {
		f.Add(p, true)
		f.Add(p, false)
	}
	f.Fuzz(func(t *testing.T, raw string, merge bool) {
		if !strings.HasPrefix(raw, "/") || !isTargetText([]byte(raw)) {
			return
		}
		p, err := appendPath(nil, []byte(raw), merge)
		if err != nil {
			return
		}
		if p[0] != '/' || bytes.IndexByte(p, 0) >= 0 || merge && bytes.Contains(p, []byte("//")) {
			t.Fatalf("%q gives %q", raw, p)
		}
		for _, segment := range strings.Split(string(p), "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q gives %q, which has a dot segment", raw, p)
			}
		}
		again, err := appendPath(nil, encodeAll(p), merge)
		if err != nil || !bytes.Equal(again, p) {
			t.Fatalf("%q gives %q, and that encoded gives %q, %v", raw, p, again, err)
		}
	})
}

func encodeAll(p []byte) []byte {
	var out []byte
	for _, c := range p {
		if c == '%' {
			out = append(out, "%25"...)
		} else {
			out = append(out, c)
		}
	}
	return out
}
