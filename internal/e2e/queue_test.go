package e2e

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestClientLeavesTheQueue: a request whose client has left before a worker was free never runs.
func TestClientLeavesTheQueue(t *testing.T) {
	s := start(t, site{module: "slow:app"}.String())
	held := s.dial()
	held.send("GET /held?first HTTP/1.1\r\nHost: localhost\r\n\r\n")
	s.holder("held-first", 1)
	// Far more than are queued ahead of the workers.
	var left []*rawConn
	for range 200 {
		c := s.dial()
		c.send("POST /held?left HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
		left = append(left, c)
	}
	for _, c := range left {
		c.Close()
	}
	eventually(t, "the front sees that they have left", func() bool { return !s.hasOthers(1) })
	s.give("left")
	s.give("first")
	held.read("GET").wantStatus(t, 200)
	s.get("/pid").wantStatus(t, 200)
	if ran := strings.Count(s.read("held-left"), "\n"); ran > 100 {
		t.Errorf("%d of 200 requests ran although their clients had left; want those that were queued ahead at most", ran)
	}
}

// TestQueueFull: more requests than may wait are refused at once, and those that wait are served.
func TestQueueFull(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "listen = 10"}.String())
	held := s.dial()
	held.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	s.holder("held-x", 1)
	statuses := make([]int, 200)
	var wait sync.WaitGroup
	refused := make(chan struct{}, len(statuses))
	for i := range statuses {
		wait.Go(func() {
			statuses[i] = s.get("/pid").status
			if statuses[i] == 503 {
				refused <- struct{}{}
			}
		})
	}
	// The refusals come while the worker is held.
	for range 50 {
		select {
		case <-refused:
		case <-time.After(patience):
			t.Error("fewer than 50 of 200 requests are refused while 10 may wait")
		}
	}
	s.give("x")
	wait.Wait()
	held.read("GET").wantStatus(t, 200)
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[200] < 10 || count[200]+count[503] != len(statuses) {
		t.Errorf("got %v; want some 200 and the rest 503", count)
	}
}

// TestStopServesTheQueue: what had been accepted before SIGTERM is answered before the end.
func TestStopServesTheQueue(t *testing.T) {
	s := start(t, site{module: "slow:app"}.String())
	held := s.dial()
	held.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	worker := s.holder("held-x", 1)
	conns := make([]*rawConn, 100)
	for i := range conns {
		conns[i] = s.dial()
		conns[i].send("POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
		// The sign that the front has taken the request.
		conns[i].readUntil("HTTP/1.1 100 Continue\r\n\r\n")
		conns[i].send("x")
	}
	idle := s.dial()
	idle.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
	idle.read("OPTIONS").wantStatus(t, 200)
	s.signal(syscall.SIGTERM)
	idle.rest()
	s.give("x")
	held.read("GET").want(t, 200, itoa(worker))
	for _, c := range conns {
		c.read("POST").want(t, 200, itoa(worker))
	}
	if code := s.waitExit(); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
}
