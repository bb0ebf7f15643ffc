package staticfs

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	stdmultipart "mime/multipart"
	"strings"
	"testing"
)

func TestRange(t *testing.T) {
	small := "0123456789"
	s := newSite(t, map[string]string{"small": small, "large": content(small, large/10), "empty": ""})
	f := func(target, field string, status int, body, contentRange string) {
		t.Helper()
		r := s.get(target, "Range", field)
		if r.status != status || status != 416 && r.body != body || r.fields["Content-Range"] != contentRange {
			t.Errorf("%s %q = %d %.20q %q; want %d %.20q %q", target, field, r.status, r.body, r.fields["Content-Range"], status, body, contentRange)
		}
	}
	f("/small", "bytes=0-0", 206, "0", "bytes 0-0/10")
	f("/small", "bytes=2-4", 206, "234", "bytes 2-4/10")
	f("/small", "Bytes=2-4", 206, "234", "bytes 2-4/10")
	f("/small", "bytes=7-", 206, "789", "bytes 7-9/10")
	f("/small", "bytes=7-100", 206, "789", "bytes 7-9/10")
	f("/small", "bytes=7-99999999999999999999", 206, "789", "bytes 7-9/10")
	f("/small", "bytes=-3", 206, "789", "bytes 7-9/10")
	f("/small", "bytes=-100", 206, small, "bytes 0-9/10")
	f("/small", "bytes=0-", 206, small, "bytes 0-9/10")
	f("/small", "bytes= 2-4 ", 206, "234", "bytes 2-4/10")
	f("/small", "bytes=2-4,", 206, "234", "bytes 2-4/10")
	f("/small", "bytes=2-4,20-30", 206, "234", "bytes 2-4/10") // one of two exists
	f("/large", "bytes=15-24", 206, "5678901234", "bytes 15-24/20480")
	f("/large", "bytes=-5", 206, "56789", "bytes 20475-20479/20480")

	f("/small", "bytes=10-", 416, "", "bytes */10")
	f("/small", "bytes=99999999999999999999-", 416, "", "bytes */10")
	f("/small", "bytes=-0", 416, "", "bytes */10")
	f("/small", "bytes=10-11,20-", 416, "", "bytes */10")
	f("/large", "bytes=20480-", 416, "", "bytes */20480")

	for _, field := range []string{"", "bytes", "bytes=", "bytes=,", "lines=1-2", "bytes=a-b", "bytes=4-2", "bytes=1", "bytes=--1",
		"bytes=1-2-3", "bytes=+1-2", "bytes=1 - 2", "bytes =1-2", "bytes=0-4,2-6", "bytes=0-,0-", "bytes=1-2,x",
		"bytes=" + strings.Repeat("0-0,", 17), "bytes=" + strings.Repeat("20-,", 17)} {
		f("/small", field, 200, small, "")
	}
	f("/empty", "bytes=0-", 200, "", "")
}

func TestMultipleRanges(t *testing.T) {
	digits := "0123456789"
	s := newSite(t, map[string]string{"small.txt": digits, "large.txt": content(digits, 20000)})
	f := func(target, field string, want ...string) {
		t.Helper()
		r := s.get(target, "Range", field)
		kind, params, err := mime.ParseMediaType(r.fields["Content-Type"])
		if r.status != 206 || kind != "multipart/byteranges" || err != nil || r.fields["Content-Range"] != "" || r.fields["ETag"] == "" {
			t.Fatalf("%s %q = %d %q", target, field, r.status, r.fields)
		}
		parts := stdmultipart.NewReader(strings.NewReader(r.body), params["boundary"])
		for i := 0; ; i++ {
			p, err := parts.NextPart()
			if err == io.EOF && i == len(want)/2 {
				return
			}
			must(t, err)
			body, err := io.ReadAll(p)
			must(t, err)
			if got := p.Header.Get("Content-Range"); got != want[2*i] || string(body) != want[2*i+1] {
				t.Errorf("%q part %d is %q %.20q; want %q %.20q", field, i, got, body, want[2*i], want[2*i+1])
			}
			if got := p.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("part has Content-Type %q", got)
			}
		}
	}
	f("/small.txt", "bytes=0-1,-2", "bytes 0-1/10", "01", "bytes 8-9/10", "89")
	f("/small.txt", "bytes=5-6 , 0-1, 3-3,100-", "bytes 5-6/10", "56", "bytes 0-1/10", "01", "bytes 3-3/10", "3")
	f("/large.txt", "bytes=0-0,50000-199999", "bytes 0-0/200000", "0", "bytes 50000-199999/200000", content(digits, 15000))
	// Several pieces, released half-way.
	before := s.openFiles()
	ex := request("GET", "/large.txt", "Range", "bytes=0-0,2-199999")
	must(t, s.fs.Serve(ex))
	for range 4 {
		if _, more, err := ex.Response.Stream.Next(); err != nil || !more {
			t.Fatalf("Next = %v, %v; want more", more, err)
		}
	}
	must(t, ex.Response.Release())
	if n := s.openFiles(); n != before {
		t.Errorf("%d descriptors are open; want %d", n, before)
	}
}

// FuzzRange: ranges lie within the file, do not overlap and are few, and each means the same when it is asked for alone.
func FuzzRange(f *testing.F) {
	for _, v := range []string{"bytes=0-0", "bytes=-5", "bytes=3-", "bytes=0-1,3-4", "bytes=9223372036854775807-", "bytes=0-0, ,2-", "lines=1-2"} {
		f.Add([]byte(v), int64(10))
	}
	f.Add([]byte("bytes=0-9223372036854775807"), int64(1)<<62)
	f.Fuzz(func(t *testing.T, field []byte, size int64) {
		if size < 0 {
			return
		}
		spans, ok := parseRanges(nil, field, size)
		if !ok {
			if len(spans) > 0 {
				t.Fatalf("%q is ignored and has ranges", field)
			}
			return
		}
		if len(spans) > maxRanges || !bytes.Contains(field, []byte("=")) {
			t.Fatalf("%q gives %d ranges", field, len(spans))
		}
		var sum int64
		for i, s := range spans {
			if s.start < 0 || s.n <= 0 || s.start+s.n > size || overlaps(spans[:i], s) {
				t.Fatalf("%q for %d bytes gives %v", field, size, spans)
			}
			sum += s.n
			alone, ok := parseRanges(nil, fmt.Appendf(nil, "bytes=%d-%d", s.start, s.start+s.n-1), size)
			if !ok || len(alone) != 1 || alone[0] != s {
				t.Fatalf("%v is read back as %v", s, alone)
			}
		}
		if sum > size {
			t.Fatalf("%q for %d bytes gives %d bytes", field, size, sum)
		}
	})
}
