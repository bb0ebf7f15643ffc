package e2e

import (
	"sync"
	"testing"
)

// company is what testdata/apps/together.py answers.
type company struct {
	Multithread, Multiprocess bool
	RunOnce                   bool `json:"run_once"`
	PID, Thread               int
	Alone                     bool
}

// TestProcessesAndThreads: an application gets as much company as its config says, and is told so truthfully.
func TestProcessesAndThreads(t *testing.T) {
	f := func(name, app string, multithread, multiprocess bool, more func(*testing.T, *server)) {
		t.Run(name, func(t *testing.T) {
			s := start(t, site{module: "together:app", app: app}.String())
			got := decode[company](t, s.get("/"))
			if got.Multithread != multithread || got.Multiprocess != multiprocess || got.RunOnce {
				t.Errorf("got %+v; want multithread %t, multiprocess %t", got, multithread, multiprocess)
			}
			more(t, s)
		})
	}
	f("one", "processes = 1\nthreads = 1", false, false, wantAlone)
	f("threads", "processes = 1\nthreads = 2", true, false, wantThreads)
	f("processes", "processes = 2\nthreads = 1", false, true, func(t *testing.T, s *server) {
		wantProcesses(t, s)
		wantAlone(t, s)
	})
	f("both", "processes = 2\nthreads = 2", true, true, wantProcesses)
}

// both makes two requests at the same time.
func both(t *testing.T, s *server, first, second string) (a, b company) {
	t.Helper()
	answers := make([]answer, 2)
	var wait sync.WaitGroup
	for i, path := range []string{first, second} {
		wait.Go(func() { answers[i] = s.get(path) })
	}
	wait.Wait()
	return decode[company](t, answers[0]), decode[company](t, answers[1])
}

func wantThreads(t *testing.T, s *server) {
	t.Helper()
	a, b := both(t, s, "/threads", "/threads")
	if a.PID != b.PID || a.Thread == b.Thread {
		t.Errorf("met in %+v and %+v; want two threads of one process", a, b)
	}
}

func wantProcesses(t *testing.T, s *server) {
	t.Helper()
	both(t, s, "/processes?a,b", "/processes?b,a")
}

func wantAlone(t *testing.T, s *server) {
	t.Helper()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				if got := decode[company](t, s.get("/alone")); !got.Alone {
					t.Errorf("two requests at once in process %d", got.PID)
				}
			}
		})
	}
	wait.Wait()
}
