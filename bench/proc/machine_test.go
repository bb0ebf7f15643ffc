package proc

import (
	"testing"
	"time"
)

func TestParseBusy(t *testing.T) {
	got, err := parseBusy([]byte("cpu  100 20 3 5000 6 7 8 9 0 0\ncpu0 1 2 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := 1230 * time.Millisecond; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, text := range []string{"", "cpu 1 2\n", "cpu0 1 2 3 4\n", "cpu a b c d\n"} {
		if got, err := parseBusy([]byte(text)); err == nil {
			t.Errorf("text %q gave %v, want an error", text, got)
		}
	}
}

func TestBusyOfThisMachine(t *testing.T) {
	if got, err := Busy(); err != nil || got <= 0 {
		t.Errorf("got %v, %v; want a time above 0", got, err)
	}
}
