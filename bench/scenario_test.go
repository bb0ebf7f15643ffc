package main

import (
	"slices"
	"testing"
)

func TestScenariosAreComplete(t *testing.T) {
	known := peerNames()
	seen := make(map[string]bool)
	for _, s := range scenarios() {
		if seen[s.name] {
			t.Errorf("two cases are called %q", s.name)
		}
		seen[s.name] = true
		if s.title == "" || s.path == "" || s.size == 0 || s.connections == 0 || s.measure == nil {
			t.Errorf("case %q lacks something: %+v", s.name, s)
		}
		if len(s.columns) == 0 || len(s.peers) < 2 {
			t.Errorf("case %q has nothing to compare", s.name)
		}
		if (s.app == "") != (s.workers == 0) || (s.app == "" && !s.static) {
			t.Errorf("case %q: app %q, %d workers, static %t", s.name, s.app, s.workers, s.static)
		}
		for _, name := range s.peers {
			if !slices.Contains(known, name) {
				t.Errorf("case %q names peer %q, which does not exist", s.name, name)
			}
		}
	}
}

func TestGoalsAreAboutWhatIsMeasured(t *testing.T) {
	for _, goal := range goals() {
		index := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == goal.Case })
		if index < 0 {
			t.Errorf("%s: no such case", goal)
			continue
		}
		s := scenarios()[index]
		if !slices.Contains(s.columns, goal.Metric) {
			t.Errorf("%s: the case does not report %q", goal, goal.Metric)
		}
		if goal.Peer != "" && !slices.Contains(s.peers, goal.Peer) {
			t.Errorf("%s: the case does not measure %q", goal, goal.Peer)
		}
	}
}

func TestJudge(t *testing.T) {
	hello := scenario{path: "/", size: 3}
	upload := scenario{path: "/upload"}.uploading(1000)
	f := func(s scenario, status int, body string, good bool) {
		t.Helper()
		if err := s.judge(status, []byte(body)); (err == nil) != good {
			t.Errorf("status %d, body %q: got %v, want good %t", status, body, err, good)
		}
	}
	f(hello, 200, "abc", true)
	f(hello, 200, "ab", false)
	f(hello, 302, "abc", false)
	f(hello, 500, "abc", false)
	f(upload, 200, "1000\n", true)
	f(upload, 200, "0999\n", false)
}
