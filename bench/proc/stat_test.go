package proc

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 812 4242 4242 0 -1 4194560 201 7 0 0 31 12 250 90 20 0 3 0 987654 1 2 3 4 5 6\n"
	for _, comm := range []string{"nginx", "hognose: front", "a) R 1 (b", ""} {
		got, err := parseStat([]byte("4242 (" + comm + ")" + tail))
		if err != nil {
			t.Fatalf("comm %q: %v", comm, err)
		}
		want := Stat{
			PID: 4242, Comm: comm, State: 'S', Parent: 812, Start: 987654, Threads: 3,
			Own: 430 * time.Millisecond, Reaped: 3400 * time.Millisecond,
		}
		if got != want {
			t.Errorf("comm %q: got %+v, want %+v", comm, got, want)
		}
	}
}

func TestParseStatRefusesJunk(t *testing.T) {
	for _, line := range []string{"", "12", "12 (x", "x (y) S 1", "12 (y) S 1 2 3", ") S (",
		"12 (y) S a 1 1 0 -1 0 0 0 0 0 1 1 1 1 20 0 3 0 9\n"} {
		if got, err := parseStat([]byte(line)); err == nil {
			t.Errorf("line %q gave %+v, want an error", line, got)
		}
	}
}

func TestReadStatOfSelf(t *testing.T) {
	got, err := ReadStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got.PID != os.Getpid() || got.Parent != os.Getppid() || got.Start == 0 {
		t.Errorf("got %+v, want pid %d and parent %d", got, os.Getpid(), os.Getppid())
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 5 1\n"))
	f.Add([]byte("1 (a) (b)) Z 0 1"))
	f.Fuzz(func(t *testing.T, line []byte) {
		stat, err := parseStat(line)
		if err == nil && len(stat.Comm) > len(line) {
			t.Errorf("comm %q is longer than its line %q", stat.Comm, line)
		}
	})
}
