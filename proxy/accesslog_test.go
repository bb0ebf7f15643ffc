package proxy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// logEntry is the entry of a request with the given header lines.
func logEntry(t testing.TB, head string) (*entry, *guardRun) {
	t.Helper()
	run := newRun(testGuard())
	if _, err := run.read([]byte(head)); err != nil {
		t.Fatalf("%q is refused: %v", head, err)
	}
	ex := &run.ex
	ex.Remote = netip.MustParseAddrPort("[::ffff:192.0.2.1]:5000")
	ex.Start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ex.ID = []byte("0123456789abcdef0123456789abcdef")
	ex.Response.Status = 200
	return &entry{ex: ex, line: run.hd.Line, sent: 612, now: ex.Start.Add(1234567 * time.Microsecond)}, run
}

func TestCombined(t *testing.T) {
	f := func(lines, request, rest string) {
		t.Helper()
		e, _ := logEntry(t, r(request+"\nHost: h"+lines))
		got := string(e.appendCombined(nil, "21/Nov/2026:12:00:01 +0000"))
		want := "192.0.2.1 - " + rest + "\n"
		if got != want {
			t.Errorf("got  %s want %s", got, want)
		}
	}
	const get = "GET /a?b HTTP/1.1"
	f("", get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f("\nReferer: http://r/\nUser-Agent: Mozilla/5.0 (X11)", get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "http://r/" "Mozilla/5.0 (X11)"`)
	f("\nReferer:\nUser-Agent: a\"b\\c{HT}d{E9}\u00e9 ~", get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "" "a\x22b\x5Cc\x09d\xE9\xC3\xA9 ~"`)
	f("", "GET http://h/\"\\{E9} HTTP/1.1", `- [21/Nov/2026:12:00:01 +0000] "GET http://h/\x22\x5C\xE9 HTTP/1.1" 200 612 "-" "-"`)
	basic := func(s string) string { return "\nAuthorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	f(basic("joe:secret"), get, `joe [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f(basic("j\" o:secret"), get, `j\x22 o [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f(basic(":secret"), get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f(basic("nocolon"), get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f(basic(strings.Repeat("x", 500)+":secret"), get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f(basic("joe:"+strings.Repeat("x", 500)), get, `joe [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f("\nAuthorization: Bearer abc", get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
	f("\nAuthorization: Basic", get, `- [21/Nov/2026:12:00:01 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "-"`)
}

func TestCombinedWithoutRequest(t *testing.T) {
	e := &entry{ex: &exchange.Exchange{Response: exchange.Response{Status: 408}}}
	want := `unix: - - [now] "-" 408 0 "-" "-"` + "\n"
	if got := string(e.appendCombined(nil, "now")); got != want {
		t.Errorf("got  %s want %s", got, want)
	}
}

func TestJSON(t *testing.T) {
	e, _ := logEntry(t, r("POST /a%20\"b?c HTTP/1.1\nHost: H:80\nUser-Agent: \"\\{HT}{E9}\u00e9\ufffd\U0001f40d\nCookie: secret\nAuthorization: secret"))
	want := `{"time":"2026-11-21T12:00:01.234Z","remote_addr":"192.0.2.1","method":"POST","uri":"/a%20\"b?c","protocol":"HTTP/1.1",` +
		`"status":200,"bytes":612,"request_time":1.234,"host":"h","referer":"","user_agent":"\"\\\u0009` + `\ufffd` + "\u00e9\ufffd\U0001f40d" +
		`","request_id":"0123456789abcdef0123456789abcdef"}` + "\n"
	if got := string(e.appendJSON(nil)); got != want {
		t.Errorf("got  %s want %s", got, want)
	}
	e = &entry{ex: &exchange.Exchange{Response: exchange.Response{Status: 400}}, line: []byte("\x16\x03")}
	if got := string(e.appendJSON(nil)); !strings.Contains(got, `"request":"\u0016\u0003","status":400`) {
		t.Errorf("got %s; want the line of a request that could not be read", got)
	}
}

// Whatever a client sends, a line is one line, and in JSON an object with what was sent.
func FuzzLogEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\x00", "\xff\xc3\x28\xed\xa0\x80", "\u2028é"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		text := appendVariable(nil, v)
		for _, c := range text {
			if c < ' ' || c >= 0x7f || c == '"' {
				t.Fatalf("%q gives %q", v, text)
			}
		}
		object := append(append([]byte(`{"a":1`), appendMember(nil, "v", v)...), '}')
		var got struct{ V string }
		if err := json.Unmarshal(object, &got); err != nil || bytes.ContainsAny(object, "\n\r") {
			t.Fatalf("%q gives %q: %v", v, object, err)
		}
		want := string([]rune(string(v))) // what is not UTF-8 becomes U+FFFD
		if got.V != want || !utf8.Valid(object) {
			t.Fatalf("%q gives %q; want %q", v, got.V, want)
		}
	})
}

// problems collects what an access log reports.
type problems struct {
	mu   sync.Mutex
	errs []string
	got  chan struct{}
}

func newProblems() *problems { return &problems{got: make(chan struct{}, 100)} }

func (p *problems) add(err error) {
	p.mu.Lock()
	p.errs = append(p.errs, err.Error())
	p.mu.Unlock()
	p.got <- struct{}{}
}

func (p *problems) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.errs, "\n")
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAccessLogWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	p := newProblems()
	l := NewAccessLog(p.add)
	e, _ := logEntry(t, r("GET /off HTTP/1.1\nHost: h"))
	l.Log(e.ex, e.line, 1)
	l.Reopen(create(t, path))
	e, _ = logEntry(t, r("GET /combined HTTP/1.1\nHost: h"))
	l.Log(e.ex, e.line, 1)
	l.SetFormat(config.FormatJSON)
	e, _ = logEntry(t, r("GET /json HTTP/1.1\nHost: h"))
	l.Log(e.ex, e.line, 1)
	l.Close()
	l.Log(e.ex, e.line, 1)
	l.Close()
	lines := strings.Split(strings.TrimSuffix(contents(t, path), "\n"), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"GET /combined HTTP/1.1" 200 1`) || !strings.Contains(lines[1], `"uri":"/json"`) {
		t.Errorf("got %q; want one line in each format", lines)
	}
	if p.text() != "" {
		t.Errorf("problems: %s", p.text())
	}
}

// Lines reach the file without Close, and a renamed file keeps the lines from before Reopen.
func TestAccessLogReopen(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "access.log"), filepath.Join(dir, "access.log.1")
	l := NewAccessLog(func(err error) { t.Error(err) })
	l.Reopen(create(t, path))
	e, _ := logEntry(t, r("GET /old HTTP/1.1\nHost: h"))
	l.Log(e.ex, e.line, 1)
	l.Log(e.ex, e.line, 1)
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	l.Reopen(create(t, path))
	e, _ = logEntry(t, r("GET /new HTTP/1.1\nHost: h"))
	l.Log(e.ex, e.line, 1)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(contents(t, old), "/old"); {
		if time.Now().After(deadline) {
			t.Fatal("the line does not come")
		}
		time.Sleep(time.Millisecond)
	}
	l.Reopen(nil)
	l.Log(e.ex, e.line, 1)
	l.Close()
	if got := contents(t, old); strings.Count(got, "/old") != 2 || strings.Contains(got, "/new") {
		t.Errorf("the old file has %q", got)
	}
	if got := contents(t, path); strings.Count(got, "/new") != 1 || strings.Contains(got, "/old") {
		t.Errorf("the new file has %q", got)
	}
}

// A disk that is stuck stops nobody: lines are lost, and counted.
func TestAccessLogStuck(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p := newProblems()
	l := NewAccessLog(p.add)
	l.Reopen(writer)
	e, _ := logEntry(t, browserRequest)
	const lines = 20000 // some megabytes
	for range lines {
		l.Log(e.ex, e.line, 1)
	}
	read := make(chan int)
	go func() {
		b, _ := io.ReadAll(reader)
		read <- bytes.Count(b, []byte("\n"))
	}()
	<-p.got
	l.Close()
	if n := <-read; n == 0 || n >= lines || !strings.Contains(p.text(), "lines were lost") {
		t.Errorf("%d of %d lines arrived, problems %q; want some, and the loss of the others reported", n, lines, p.text())
	}
}

func TestAccessLogDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	p := newProblems()
	l := NewAccessLog(p.add)
	l.Reopen(full)
	e, _ := logEntry(t, browserRequest)
	l.Log(e.ex, e.line, 1)
	l.Close()
	if got := p.text(); !strings.Contains(got, "1 lines were lost") || !strings.Contains(got, "no space left") {
		t.Errorf("problems: %q; want one lost line and why", got)
	}
}

// Requests log at the same time while the file changes; no line is lost or torn.
func TestAccessLogConcurrent(t *testing.T) {
	dir := t.TempDir()
	l := NewAccessLog(func(err error) { t.Error(err) })
	paths := []string{filepath.Join(dir, "0"), filepath.Join(dir, "1"), filepath.Join(dir, "2")}
	l.Reopen(create(t, paths[0]))
	var wg sync.WaitGroup
	for range 4 {
		e, _ := logEntry(t, browserRequest)
		wg.Go(func() {
			for range 500 {
				l.Log(e.ex, e.line, 1)
			}
		})
	}
	l.Reopen(create(t, paths[1]))
	wg.Wait()
	l.Reopen(create(t, paths[2]))
	l.Close()
	var all string
	for _, p := range paths {
		all += contents(t, p)
	}
	lines := strings.Split(strings.TrimSuffix(all, "\n"), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "192.0.2.1 - - [") || !strings.HasSuffix(line, `Firefox/128.0"`) {
			t.Fatalf("torn line %q", line)
		}
	}
	if len(lines) != 2000 {
		t.Errorf("%d lines; want 2000", len(lines))
	}
}
