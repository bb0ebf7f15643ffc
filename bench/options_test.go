package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hognose/bench/peers"
)

func TestParseOptions(t *testing.T) {
	opts, err := parseOptions([]string{"-run", "^hello", "-peers", "hognose,granian", "-rounds", "3", "-duration", "2s"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if opts.rounds != 3 || opts.duration != 2*time.Second || opts.threads < 1 || !opts.install {
		t.Errorf("got %+v, want the values of the flags", opts)
	}
	plan := opts.plan()
	if len(plan) != 2 || plan[0].name != "hello" || plan[1].name != "hello_tls" {
		t.Fatalf("got plan %v, want hello and hello_tls", plan)
	}
	if want := []string{peers.Hognose, peers.Granian}; !slices.Equal(plan[0].peers, want) {
		t.Errorf("got peers %q, want %q", plan[0].peers, want)
	}
}

func TestParseOptionsRefusesMistakes(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, err := parseOptions(args, io.Discard)
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want a usage error with %q", args, err, want)
		}
	}
	f("-run", "-run", "(")
	f(`no peer "apache"`, "-peers", "nginx,apache")
	f("at least 1", "-rounds", "0")
	f("at least 1", "-threads", "0")
	f("whole seconds", "-duration", "1500ms")
	f("whole seconds", "-duration", "0s")
	f(`"hello"`, "hello")
	f("-nonsense", "-nonsense")
	if _, err := parseOptions([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: got %v, want the help", err)
	}
}

func TestPlanLeavesOutCasesWithoutPeers(t *testing.T) {
	opts, err := parseOptions([]string{"-peers", "nginx"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range opts.plan() {
		if s.app != "" {
			t.Errorf("plan for nginx alone has %q, which needs an application server", s.name)
		}
	}
}

func TestListCasesNamesEverything(t *testing.T) {
	opts, err := parseOptions(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := listCases(&out, opts); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios() {
		if !strings.Contains(out.String(), "  "+s.name+" ") {
			t.Errorf("list lacks case %q", s.name)
		}
	}
	for _, name := range peerNames() {
		if !strings.Contains(out.String(), "\n  "+name+" ") {
			t.Errorf("list lacks peer %q", name)
		}
	}
}
