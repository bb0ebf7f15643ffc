package proc

import (
	"os"
	"testing"
)

const rollup = `00400000-7ffd1b5fe000 ---p 00000000 00:00 0                              [rollup]
Rss:               14500 kB
Pss:                6543 kB
Pss_Dirty:          3000 kB
Shared_Clean:       9000 kB
`

func TestParseRollup(t *testing.T) {
	got, err := parseRollup([]byte(rollup))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Memory{RSS: 14500 << 10, PSS: 6543 << 10}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, text := range []string{"", "Rss: 1 kB\n", "Rss: x kB\nPss: 1 kB\n", "Rss: 1 MB\nPss: 1 MB\n"} {
		if got, err := parseRollup([]byte(text)); err == nil {
			t.Errorf("text %q gave %+v, want an error", text, got)
		}
	}
}

func TestMemoryOf(t *testing.T) {
	got, err := MemoryOf([]int{os.Getpid(), 1 << 22})
	if err != nil {
		t.Fatal(err)
	}
	if got.PSS <= 0 || got.RSS < got.PSS {
		t.Errorf("got %+v, want a PSS above 0 and not above the RSS", got)
	}
}

func FuzzParseRollup(f *testing.F) {
	f.Add([]byte(rollup))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := parseRollup(text); err == nil && len(text) < len("Rss: 1 kB Pss: 1 kB") {
			t.Errorf("text %q is too short to hold both fields", text)
		}
	})
}
