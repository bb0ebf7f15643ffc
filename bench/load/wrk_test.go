package load

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const wrkOutput = `Running 5s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
Requests/sec:  30000.00
bench requests=150000 bytes=30000000 duration=5001234 connect=0 read=0 write=0 status=0 timeout=0 p50=1900 p99=4100 max=22000
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk([]byte(wrkOutput))
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 150000 || got.Bytes != 30000000 || got.Elapsed != 5001234*time.Microsecond ||
		got.P50 != 1900*time.Microsecond || got.P99 != 4100*time.Microsecond || got.Max != 22*time.Millisecond {
		t.Errorf("got %+v, want the numbers of the result line", got)
	}
	if len(got.Failures) != 0 {
		t.Errorf("clean run has failures %q", got.Failures)
	}
}

func TestParseWrkReportsEachFailure(t *testing.T) {
	got, err := parseWrk([]byte("bench requests=0 bytes=0 duration=1 connect=1 read=2 write=3 status=4 timeout=5 p50=0 p99=0 max=0\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"connections not made: 1", "reads failed: 2", "writes failed: 3",
		"answers of status 400 or above: 4", "timeouts: 5", "no request was answered",
	}
	if !slices.Equal(got.Failures, want) {
		t.Errorf("got %q, want %q", got.Failures, want)
	}
}

func TestParseWrkRefusesIncompleteOutput(t *testing.T) {
	for _, out := range []string{
		"", "Requests/sec: 1\n", "bench \n", "bench requests=nil\n", "bench requests=-1\n",
		strings.Replace(wrkOutput, " timeout=0", "", 1),
	} {
		if got, err := parseWrk([]byte(out)); err == nil {
			t.Errorf("output %q gave %+v, want an error", out, got)
		}
	}
}

func FuzzParseWrk(f *testing.F) {
	f.Add([]byte(wrkOutput))
	f.Add([]byte("bench requests=1 duration=99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		result, err := parseWrk(out)
		if err == nil && result.Requests == 0 && len(result.Failures) == 0 {
			t.Errorf("output %q passes for a clean run without requests", out)
		}
	})
}

func TestWrkSendsRequestsAndUploads(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	var posted atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			posted.Store(n)
		}
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	run := func(name string, w Wrk, check func(t *testing.T, got Result)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.Dir, w.Connections, w.Threads, w.Duration = t.TempDir(), 2, 1, time.Second
			got, err := w.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			check(t, got)
		})
	}
	run("plain", Wrk{URL: server.URL + "/"}, func(t *testing.T, got Result) {
		if got.Requests == 0 || len(got.Failures) > 0 || got.P99 < got.P50 || got.ClientCPU <= 0 {
			t.Errorf("got %+v, want requests and no failures", got)
		}
	})
	run("upload", Wrk{URL: server.URL + "/", UploadBytes: 100_000}, func(t *testing.T, got Result) {
		if got.Requests == 0 || len(got.Failures) > 0 {
			t.Errorf("got %+v, want requests and no failures", got)
		}
		if posted.Load() != 100_000 {
			t.Errorf("the server read %d bytes, want 100000", posted.Load())
		}
	})
	run("errors", Wrk{URL: server.URL + "/broken"}, func(t *testing.T, got Result) {
		if len(got.Failures) == 0 {
			t.Errorf("got %+v, want failures", got)
		}
	})
}
