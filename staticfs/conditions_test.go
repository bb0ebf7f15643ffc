package staticfs

import (
	"bytes"
	"strings"
	"testing"

	"hognose/internal/exchange"
)

const (
	tag   = `"6553f100-5"`
	date  = "Tue, 14 Nov 2023 22:13:20 GMT"
	older = "Tue, 14 Nov 2023 22:13:19 GMT"
	newer = "Tue, 14 Nov 2023 22:13:21 GMT"
)

func contains(err error, s string) bool { return err != nil && strings.Contains(err.Error(), s) }

func TestConditions(t *testing.T) {
	s := newSite(t, map[string]string{"f": "hello"})
	f := func(want int, fields ...string) {
		t.Helper()
		for _, method := range []string{"GET", "HEAD"} {
			r := s.do(request(method, "/f", fields...))
			if r.status != want {
				t.Errorf("%s with %q = %d; want %d", method, fields, r.status, want)
			}
			if r.status == 304 && (r.fields["ETag"] != tag || r.fields["Last-Modified"] != date || len(r.fields) != 2 || r.body != "") {
				t.Errorf("304 has fields %q, body %q", r.fields, r.body)
			}
		}
	}
	f(200)
	f(304, "If-None-Match", tag)
	f(304, "if-none-match", tag)
	f(304, "If-None-Match", "W/"+tag)
	f(304, "If-None-Match", "*")
	f(304, "If-None-Match", `"x", "y" ,, `+tag+` , "z"`)
	f(304, "If-None-Match", `"x"`, "If-None-Match", tag)
	f(200, "If-None-Match", `"x"`)
	f(200, "If-None-Match", "6553f100-5")
	f(200, "If-None-Match", "")
	f(200, "If-None-Match", `"x" `+tag)
	f(200, "If-None-Match", `junk, `+tag)

	f(304, "If-Modified-Since", date)
	f(304, "If-Modified-Since", newer)
	f(304, "If-Modified-Since", "Tuesday, 14-Nov-23 22:13:20 GMT")
	f(304, "If-Modified-Since", "Tue Nov 14 22:13:20 2023")
	f(200, "If-Modified-Since", older)
	f(200, "If-Modified-Since", "yesterday")
	f(200, "If-Modified-Since", "")
	f(200, "If-Modified-Since", date, "If-Modified-Since", date)
	f(200, "If-None-Match", `"x"`, "If-Modified-Since", date) // the tag decides
	f(304, "If-None-Match", tag, "If-Modified-Since", older)

	f(200, "If-Match", tag)
	f(200, "If-Match", "*")
	f(200, "If-Match", `"x", `+tag)
	f(412, "If-Match", "W/"+tag)
	f(412, "If-Match", `"x"`)
	f(412, "If-Match", "")
	f(200, "If-Unmodified-Since", date)
	f(200, "If-Unmodified-Since", newer)
	f(412, "If-Unmodified-Since", older)
	f(200, "If-Unmodified-Since", "junk")
	f(200, "If-Match", tag, "If-Unmodified-Since", older) // the tag decides
	f(304, "If-Match", tag, "If-None-Match", tag)
	f(412, "If-Match", `"x"`, "If-None-Match", tag)

	if r := s.get("/none", "If-Match", `"x"`); r.status != 404 {
		t.Errorf("a missing file with If-Match = %d; want 404", r.status)
	}
}

func TestIfRange(t *testing.T) {
	s := newSite(t, map[string]string{"f": "hello"})
	f := func(want int, fields ...string) {
		t.Helper()
		if r := s.get("/f", append(fields, "Range", "bytes=1-2")...); r.status != want {
			t.Errorf("Range with %q = %d; want %d", fields, r.status, want)
		}
	}
	f(206)
	f(206, "If-Range", tag)
	f(206, "If-Range", date)
	f(200, "If-Range", "W/"+tag)
	f(200, "If-Range", `"x"`)
	f(200, "If-Range", newer)
	f(200, "If-Range", older)
	f(200, "If-Range", "junk")
	f(200, "If-Range", tag, "If-Range", tag)
	f(304, "If-None-Match", tag, "If-Range", tag)
	f(412, "If-Match", `"x"`)
}

// FuzzConditions: no field makes anything but 200, 304 or 412, and what was sent as a tag or date is recognised.
func FuzzConditions(f *testing.F) {
	for _, v := range []string{tag, "W/" + tag, "*", date, "", `"`, `W/`, `"a","b"`, ",,,", "Tue, 99 Nov 2023"} {
		f.Add([]byte(v))
	}
	e := &entry{fd: -1, stamp: stamp{size: 5}}
	e.stamp.mtime.Sec = 1700000000
	e.fields[0].Value, e.fields[1].Value = []byte(date), []byte(tag)
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, name := range []string{"If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"} {
			var c conditions
			c.read(e, []exchange.Field{{Name: []byte(name), Value: value}})
			if got := c.status(e); got != 200 && got != 304 && got != 412 {
				t.Errorf("%s: %q = %d", name, value, got)
			}
			c.rangeApplies(e)
		}
		if !bytes.ContainsAny(value, "\x00\r\n") && bytes.Equal(value, []byte(tag)) != anyTagAlone(value) {
			t.Errorf("%q is taken for our tag", value)
		}
		if list := append([]byte(tag+", "), value...); !anyTag(list, []byte(tag), strongly) {
			t.Errorf("our tag is not found at the start of %q", list)
		}
	})
}

// anyTagAlone reports whether value, compared strongly, is our tag and nothing more.
func anyTagAlone(value []byte) bool {
	return len(value) == len(tag) && anyTag(value, []byte(tag), strongly) && value[0] == '"'
}
