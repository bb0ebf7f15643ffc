package report

import (
	"strings"
	"testing"
)

func sampleRun() Run {
	return Run{
		Machine: Machine{CPU: "Test CPU", Cores: 2, Memory: 4 << 30, System: "Debian", Kernel: "6.1",
			Versions: []Version{{"nginx", "1.22.1"}, {"uWSGI", "2.0.21"}}},
		Settings: Settings{Date: "2024-02-03", Rounds: 2, Seconds: 5},
		Cases: []Case{{
			Name: "hello", Title: "Hello", Columns: []string{Rate, CPU}, Ratios: []string{Rate},
			Peers: []Peer{
				{Name: "ours", Samples: []Sample{{Rate: 30000, CPU: 35}, {Rate: 31000, CPU: 36, OtherCPU: 40}}},
				{Name: "theirs", Samples: []Sample{{Rate: 20000, CPU: 70}, {Rate: 20000, CPU: 71}},
					Failures: []string{"reads failed:\n3"}},
			},
		}},
	}
}

func TestInsertReplacesOnlyTheResults(t *testing.T) {
	document := "# Title\n\n" + beginMark + "\nold\n" + endMark + "\n\nThe end.\n"
	goals := []Goal{{Case: "hello", Metric: Rate, Peer: "theirs", Kind: AtLeast, Limit: 1.5}}
	got, err := Insert(document, sampleRun(), goals, "ours")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Title\n\n" + beginMark + "\nMeasured on 2024-02-03: Test CPU, 2 cores, 4 GiB of memory, Debian, Linux 6.1; nginx 1.22.1, uWSGI 2.0.21. 2 rounds of 5 s, access logs off.\n",
		"| server | requests/s | CPU µs/request | × requests/s |\n|---|---:|---:|---:|\n",
		"| ours | 30,500 (30,000–31,000) | 35.5 (35–36) |  |\n",
		"| theirs (failed) | 20,000 | 70.5 (70–71) | 1.52 |\n",
		"- FAILED theirs: reads failed:; 3\n",
		"- ours: disturbed in 1 of 2 rounds, other programs used up to 40 % of the machine",
		"- hello, requests/s at least 1.5 × theirs: 1.52, met\n",
		endMark + "\n\nThe end.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("document lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Errorf("document keeps the old results:\n%s", got)
	}
	again, err := Insert(got, sampleRun(), goals, "ours")
	if err != nil || again != got {
		t.Errorf("inserting twice changes the document (%v):\n%s", err, again)
	}
}

func TestInsertNeedsItsMarks(t *testing.T) {
	for _, document := range []string{"", beginMark, endMark, endMark + beginMark} {
		if _, err := Insert(document, Run{}, nil, "ours"); err == nil {
			t.Errorf("document %q: got no error", document)
		}
	}
}

func TestWriteText(t *testing.T) {
	var out strings.Builder
	if err := WriteText(&out, sampleRun().Cases[0], "ours"); err != nil {
		t.Fatal(err)
	}
	want := `hello: Hello
  server                       requests/s  CPU µs/request  × requests/s
  ours             30,500 (30,000–31,000)    35.5 (35–36)              
  theirs (failed)                  20,000    70.5 (70–71)          1.52
  ×: ours ÷ this server, within each round; median
  ours: disturbed in 1 of 2 rounds, other programs used up to 40 % of the machine
  FAILED theirs: reads failed:; 3

`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTableWithoutTheBaseComparesWithTheFirst(t *testing.T) {
	rows := newTable(sampleRun().Cases[0], "nobody")
	if first, second := rows[1][3], rows[2][3]; first != "" || second != "1.52" {
		t.Errorf("got ratios %q and %q, want the first peer as the base", first, second)
	}
	if empty := newTable(Case{Columns: []string{Rate}}, "ours"); len(empty) != 1 {
		t.Errorf("a case without peers has rows %v", empty[1:])
	}
}
