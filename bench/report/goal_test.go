package report

import "testing"

func TestGoalCheck(t *testing.T) {
	run := Run{Cases: []Case{{Name: "hello", Peers: []Peer{
		{Name: "ours", Samples: []Sample{{Rate: 300, CPU: 30, Late: 1}, {Rate: 310, CPU: 31, Late: 0}}},
		{Name: "broken", Failures: []string{"cannot start"}},
		{Name: "theirs", Samples: []Sample{{Rate: 200, CPU: 60, Late: 0}, {Rate: 200, CPU: 62, Late: 1}}},
	}}}}
	f := func(goal Goal, known, met bool) {
		t.Helper()
		goal.Case = "hello"
		got := goal.Check(run, "ours")
		if got.Known != known || got.Met != met || got.Text == "" {
			t.Errorf("%s: got %+v, want known %t, met %t", goal, got, known, met)
		}
	}
	f(Goal{Metric: Rate, Peer: "theirs", Kind: AtLeast, Limit: 1.5}, true, true)
	f(Goal{Metric: Rate, Peer: "theirs", Kind: AtLeast, Limit: 2}, true, false)
	f(Goal{Metric: CPU, Peer: "theirs", Kind: AtMost, Limit: 0.5}, true, true)
	f(Goal{Metric: CPU, Kind: AtMost, Limit: 30}, true, false)
	f(Goal{Metric: Late, Peer: "theirs", Kind: NotMore}, true, true)
	f(Goal{Metric: Rate, Peer: "nobody", Kind: AtLeast, Limit: 1}, false, false)
	f(Goal{Metric: Late, Peer: "broken", Kind: NotMore}, false, false)
	f(Goal{Metric: PSS, Kind: AtMost, Limit: 1}, false, false)
	if got := (Goal{Case: "else", Metric: Rate}).Check(run, "ours"); got.Known {
		t.Errorf("goal of a case that was not run: got %+v", got)
	}
}
