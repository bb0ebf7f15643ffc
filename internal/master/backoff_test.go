package master

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	now := time.Unix(1, 0)
	var b backoff
	f := func(worked, want time.Duration) {
		t.Helper()
		if worked > 0 {
			b.works(now)
			now = now.Add(worked)
		}
		if got := b.pause(now); got != want {
			t.Errorf("pause %s; want %s", got, want)
		}
	}
	f(0, 0)
	f(0, time.Second)
	f(0, 2*time.Second)
	f(healthy-1, 4*time.Second)
	f(0, 8*time.Second)
	f(time.Second, 16*time.Second)
	f(0, longestPause)
	f(0, longestPause)
	for range 100 {
		b.pause(now)
	}
	f(0, longestPause)
	f(healthy, 0)
	f(0, time.Second)
	f(time.Hour, 0)
}
