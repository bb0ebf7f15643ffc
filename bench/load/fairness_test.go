package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// workerServer behaves like an app with n workers that take one request each:
// /slow holds a worker until released.
func workerServer(t *testing.T, n int, slow time.Duration) (addr string) {
	t.Helper()
	workers := make(chan struct{}, n)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		workers <- struct{}{}
		defer func() { <-workers }()
		switch r.URL.Path {
		case "/slow":
			<-time.After(slow)
		case "/broken":
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func fairness(addr string) Fairness {
	return Fairness{
		Addr: addr, FastPath: "/", SlowPath: "/slow", Connections: 8, Workers: 4,
		Every: 50, Rate: 400, Duration: 700 * time.Millisecond, Limit: 100 * time.Millisecond,
	}
}

func TestFairnessBlamesAServerWithOneQueuePerWorker(t *testing.T) {
	// One worker, and the client is told that there are four: every fast request
	// behind the slow one is starved, which is what an unfair server looks like.
	got, err := fairness(workerServer(t, 1, 300*time.Millisecond)).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got.Slow == 0 || got.Late == 0 || got.Starved == 0 || got.Max <= 100*time.Millisecond {
		t.Errorf("got %+v, want slow, late and starved requests", got)
	}
	if len(got.Failures) > 0 {
		t.Errorf("got failures %q, want none", got.Failures)
	}
}

func TestFairnessExcusesWaitingWhileAllWorkersSleep(t *testing.T) {
	f := fairness(workerServer(t, 1, 300*time.Millisecond))
	f.Workers = 1
	got, err := f.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got.Late == 0 || got.Starved >= got.Late {
		t.Errorf("got %+v, want late requests that are excused", got)
	}
}

func TestFairnessReportsFailures(t *testing.T) {
	f := fairness(workerServer(t, 4, 0))
	f.FastPath = "/broken"
	got, err := f.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Failures) == 0 || got.Requests != 0 {
		t.Errorf("got %+v, want no requests and a failure", got)
	}
}

func TestFairnessStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := fairness(workerServer(t, 4, 0))
	f.Duration = time.Hour
	if _, err := f.Run(ctx); err == nil {
		t.Error("got no error, want that of the context")
	}
}

func TestNextSlot(t *testing.T) {
	start := time.Unix(1000, 0)
	f := func(now, want time.Duration) {
		t.Helper()
		if got := nextSlot(start, 10, start.Add(now)).Sub(start); got != want {
			t.Errorf("now %d: got slot %d, want %d", now, got, want)
		}
	}
	f(-5, 10) // answered before its time came: a clock that is not monotonic
	f(0, 10)
	f(9, 10)
	f(10, 20)
	f(57, 60) // held up: the slots between are skipped
}
