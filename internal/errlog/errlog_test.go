package errlog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLogReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "error.log")
	open := func() *os.File {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	l := New(open())
	logger, err := l.Logger("info")
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug().Msg("never")
	logger.Info().Int("n", 1).Msg("first")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Replace(open())
	logger.Warn().Msg("second")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, path+".1", "info", "first")
	wantEvent(t, path, "warn", "second")
}

// wantEvent checks that a file holds one event.
func wantEvent(t *testing.T, path, level, message string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Level, Message, Time string }
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatalf("%s holds %q: %v", path, data, err)
	}
	if e.Level != level || e.Message != message {
		t.Errorf("%s holds %q; want level %q and message %q", path, data, level, message)
	}
	if _, err := time.Parse(time.RFC3339, e.Time); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func TestLoggerRefusesUnknownLevel(t *testing.T) {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := New(f)
	defer l.Close()
	for _, level := range []string{"", "loud"} {
		if _, err := l.Logger(level); err == nil {
			t.Errorf("level %q is accepted", level)
		}
	}
}

func TestConsole(t *testing.T) {
	f := func(event, want string) {
		t.Helper()
		var out bytes.Buffer
		if _, err := console(&out, true).Write([]byte(event)); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want+"\n" {
			t.Errorf("%s\nlooks like %q\nwant       %q", event, got, want)
		}
	}
	f(`{"level":"info","time":"2026-01-02T15:04:05.678Z","message":"ready"}`, "15:04:05.678 INF ready")
	f(`{"level":"info","time":"2026-01-02T15:04:05.678Z","app":"blog","worker":2,"message":"  File \"x.py\", line 3"}`,
		`15:04:05.678 INF blog[2]:   File "x.py", line 3`)
	f(`{"time":"2026-01-02T15:04:05.678Z","app":"blog","worker":2,"message":"  File \"x.py\", line 3"}`, `15:04:05.678     blog[2]:   File "x.py", line 3`)
	f(`{"level":"error","time":"2026-01-02T15:04:05.678Z","app":"blog","pid":7,"message":"died"}`, "15:04:05.678 ERR blog: died pid=7")
	f(`{"level":"info","time":"2026-01-02T15:04:05.678Z","app":"blog","message":"\u001b]0;evil\u0007 é"}`, "15:04:05.678 INF blog: ·]0;evil· é")
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	f := func(write string, want ...string) {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		go func() {
			w.WriteString(write)
			w.Close()
		}()
		var got []string
		Lines(r, func(line []byte) { got = append(got, string(line)) })
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Errorf("%.40q... gives %.40q; want %.40q", write, got, want)
		}
	}
	f("")
	f("\n", "")
	f("one\ntwo\r\n\nthree", "one", "two", "", "three")
	f(long+"y\n", long, "y")
	f(long+long, long, long)
}

// TestLinesOfPrompt: the beginning of a line is given although its writer neither ends it nor leaves.
func TestLinesOfPrompt(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	got := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		Lines(r, func(line []byte) { got <- string(line) })
	}()
	if _, err := w.WriteString("name: "); err != nil {
		t.Fatal(err)
	}
	if line := <-got; line != "name: " {
		t.Errorf("got %q; want the prompt", line)
	}
	r.Close()
	<-done
}
