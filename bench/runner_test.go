package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hognose/bench/peers"
	"hognose/bench/proc"
	"hognose/bench/report"
)

// testRunner measures with one short round, and logs nowhere.
func testRunner(t *testing.T, args ...string) (*runner, []scenario) {
	t.Helper()
	for _, program := range []string{"wrk", "nginx"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	opts, err := parseOptions(append([]string{"-rounds", "1", "-duration", "1s"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(opts, root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	if r.log, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	return r, opts.plan()
}

func TestScenarioMeasuresAndStops(t *testing.T) {
	r, plan := testRunner(t, "-run", "^static_1k$", "-peers", "nginx")
	got, err := r.scenario(context.Background(), plan[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Peers) != 1 || len(got.Peers[0].Samples) != 1 {
		t.Fatalf("got %+v, want one sample of one peer", got)
	}
	if failures := got.Peers[0].Failures; len(failures) > 0 {
		t.Errorf("got failures %q, want none", failures)
	}
	for _, key := range plan[0].columns {
		if got.Peers[0].Samples[0][key] <= 0 {
			t.Errorf("metric %q: got %v, want a value above 0", key, got.Peers[0].Samples[0][key])
		}
	}
	noServers(t)
}

func TestWrongAnswersFailThePeer(t *testing.T) {
	r, plan := testRunner(t, "-run", "^static_1k$", "-peers", "nginx")
	s := plan[0]
	s.size++ // what nginx answers is not what the case expects
	got, err := r.scenario(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if run := (report.Run{Cases: []report.Case{got}}); !run.Failed() || len(got.Peers[0].Samples) > 0 {
		t.Errorf("got %+v, want a failure and no sample", got)
	}
	noServers(t)
}

func TestInterruptStopsTheServers(t *testing.T) {
	r, plan := testRunner(t, "-run", "^static_1k$", "-peers", "nginx", "-duration", "60s")
	ctx, cancel := context.WithCancel(context.Background())
	s := plan[0]
	s.measure = func(ctx context.Context, r *runner, s scenario, server *peers.Server) (measurement, error) {
		cancel()
		return measureThroughput(ctx, r, s, server)
	}
	if _, err := r.scenario(ctx, s); err == nil {
		t.Error("got no error, want that of the context")
	}
	noServers(t)
}

// noServers fails if this process still has children.
func noServers(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		tree, err := proc.Tree(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, stat := range tree {
			if stat.PID != os.Getpid() {
				left = append(left, proc.Title(stat.PID))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes are left: %s", strings.Join(left, ", "))
		}
	}
}
