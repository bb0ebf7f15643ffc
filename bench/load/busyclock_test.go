package load

import (
	"testing"
	"time"
)

func TestBusyClock(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	clock := busyClock{workers: 2}
	want := func(ms, total int) {
		t.Helper()
		if got := clock.read(at(ms)); got != time.Duration(total)*time.Millisecond {
			t.Errorf("after %d ms: got %v, want %d ms", ms, got, total)
		}
	}
	want(0, 0)
	clock.enter(at(10))
	want(20, 0) // one worker is still free
	clock.enter(at(30))
	want(40, 10)
	clock.enter(at(50)) // a third, which waits itself
	clock.leave(at(60))
	want(70, 40)
	clock.leave(at(80))
	want(100, 50)
	clock.leave(at(110))
	want(200, 50)
}
