package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestKillWorkersUnderLoad: every GET is answered although workers die under it again and
// again; the dead are replaced, and nothing leaks in the front.
func TestKillWorkersUnderLoad(t *testing.T) {
	s := start(t, site{module: "hello:app", app: "processes = 3"}.String())
	front := s.one(frontTitle())
	files := s.idleFiles(front)
	l := s.startLoad(8, "/", body200("Hello"))
	l.more(200)
	for i := range 6 {
		// Each in its turn: who dies again at once is made to wait.
		victim := s.one(workersTitle("hello") + itoa(i%3+1))
		kill(t, victim)
		eventually(t, "the dead worker is replaced", func() bool {
			now := pids(s.find(workersTitle("hello")))
			return len(now) == 3 && !now[victim.pid]
		})
		l.more(100)
	}
	l.finish()
	s.wantSettled(front, files)
}

// idleFiles makes a request and returns what the front has open when its connection is gone.
func (s *server) idleFiles(front process) []string {
	s.t.Helper()
	c := s.dial()
	c.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	c.rest()
	c.Close()
	var files []string
	eventually(s.t, "the front has no more connections than listeners", func() bool {
		before := len(files)
		files = openFiles(front.pid)
		return len(files) == before && !s.hasClients()
	})
	return files
}

// hasClients reports whether a connection to the first HTTP address is open.
func (s *server) hasClients() bool { return s.hasOthers(0) }

// hasOthers reports whether more connections than that are open at the first HTTP address.
func (s *server) hasOthers(than int) bool {
	_, port, _ := net.SplitHostPort(s.address("$HTTP"))
	table, _ := os.ReadFile("/proc/net/tcp")
	local := fmt.Sprintf("0100007F:%04X", number(port))
	for line := range strings.Lines(string(table)) {
		// Fields: number, local address, remote address, state; 0A is listening, 06 is over for the process (proc_net_tcp).
		if f := strings.Fields(line); len(f) > 3 && f[1] == local && f[3] != "0A" && f[3] != "06" {
			than--
		}
	}
	return than < 0
}

// wantSettled waits until the front, still the same process, has no more open than it had when it was idle.
func (s *server) wantSettled(front process, idle []string) {
	s.t.Helper()
	eventually(s.t, "all connections are closed", func() bool { return !s.hasClients() })
	var files []string
	if !within(patience/2, func() bool { files = openFiles(front.pid); return len(files) <= len(idle) }) {
		slices.Sort(files)
		slices.Sort(idle)
		s.t.Errorf("the front has %d files open, and had %d: %q, then %q", len(files), len(idle), idle, files)
	}
	if now := s.one(frontTitle()); now.pid != front.pid {
		s.t.Errorf("the front was replaced: %d, then %d", front.pid, now.pid)
	}
}

// TestReplay: a GET whose worker is killed before it answers runs again elsewhere; a POST
// may have had its effect and is a 502; a response that has begun is cut.
func TestReplay(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 2"}.String())

	get := s.dial()
	get.send("GET /held?get HTTP/1.1\r\nHost: localhost\r\n\r\n")
	first := s.holder("held-get", 1)
	_ = syscall.Kill(first, syscall.SIGKILL)
	second := s.holder("held-get", 2)
	if first == second {
		t.Errorf("process %d runs the request again; want another", second)
	}
	s.give("get")
	get.read("GET").want(t, 200, itoa(second))

	post := s.dial()
	post.send("POST /held?post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	_ = syscall.Kill(s.holder("held-post", 1), syscall.SIGKILL)
	post.read("POST").wantStatus(t, 502)
	if n := strings.Count(s.read("held-post"), "\n"); n != 1 {
		t.Errorf("the POST ran %d times; want once", n)
	}

	begun := s.dial()
	begun.send("GET /begun?begun HTTP/1.1\r\nHost: localhost\r\n\r\n")
	begun.readUntil("begun ")
	_ = syscall.Kill(s.holder("held-begun", 1), syscall.SIGKILL)
	rest := begun.rest()
	if strings.Contains(rest, "ended") || strings.HasSuffix(rest, "0\r\n\r\n") {
		t.Errorf("the response of a killed worker goes on with %q; want it cut", rest)
	}
	s.get("/pid").wantStatus(t, 200)
	s.workers("slow", 2)
}

// holder waits until the request has run n times and returns the pid that runs it now.
func (s *server) holder(sign string, n int) int {
	s.t.Helper()
	var ran []string
	eventually(s.t, "the request runs, time "+itoa(n), func() bool {
		ran = strings.Fields(s.read(sign))
		return len(ran) >= n
	})
	return number(ran[n-1])
}

// TestReplayWithBody: PUT is idempotent; its body is still there for the second worker.
func TestReplayWithBody(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 2", server: `client_max_body_size = "8m"`}.String())
	for _, size := range []int{100, 500_000} {
		sign := "put" + itoa(size)
		done := make(chan answer, 1)
		go func() {
			done <- s.send("PUT", "/held?"+sign, bytes.NewReader(make([]byte, size)))
		}()
		_ = syscall.Kill(s.holder("held-"+sign, 1), syscall.SIGKILL)
		second := s.holder("held-"+sign, 2)
		s.give(sign)
		(<-done).want(t, 200, itoa(second))
	}
}

// TestPoisonedRequest: a request that kills every worker it meets gets an error in the end, and takes nobody along.
func TestPoisonedRequest(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 2"}.String())
	l := s.startLoad(2, "/download?1000", func(a answer) string {
		if a.status != 200 || len(a.body) != 1000 {
			return "got " + itoa(a.status) + " and " + itoa(len(a.body)) + " bytes; want 200 and 1000"
		}
		return ""
	})
	if a := s.get("/crash"); a.status != 502 && a.status != 503 {
		t.Errorf("got %d; want 502 or 503", a.status)
	}
	l.more(50)
	l.finish()
	s.workers("slow", 2)
}

// TestKillZygote: the workers serve on without their zygote; a new one comes, and can fork.
func TestKillZygote(t *testing.T) {
	s := start(t, site{module: "hello:app", app: "processes = 2"}.String())
	front := s.one(frontTitle())
	l := s.startLoad(4, "/", body200("Hello"))
	l.more(100)
	zygote := s.one(zygoteTitle("hello"))
	kill(t, zygote)
	eventually(t, "a new zygote", func() bool {
		found := s.find(zygoteTitle("hello"))
		return len(found) == 1 && found[0].pid != zygote.pid
	})
	l.more(100)
	victim := s.workers("hello", 2)[0]
	kill(t, victim)
	eventually(t, "the new zygote forks a worker", func() bool {
		now := pids(s.find(workersTitle("hello")))
		return len(now) == 2 && !now[victim.pid]
	})
	l.more(100)
	l.finish()
	if now := s.one(frontTitle()); now.pid != front.pid {
		t.Errorf("the front was replaced with the zygote")
	}
}

// TestKillFront: connections break with the front and nothing else does: a new front takes
// the waiting connections, the workers are the same, and no request hangs.
func TestKillFront(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 2"}.String())
	workers := pids(s.workers("slow", 2))
	zygote := s.one(zygoteTitle("slow"))
	l := s.startLoadWith(&load{redial: true, check: func(a answer) string {
		if a.status != 200 {
			return "got " + itoa(a.status) + "; want 200"
		}
		return ""
	}}, 6, "/pid")
	for range 3 {
		l.more(100)
		front := s.one(frontTitle())
		kill(t, front)
		eventually(t, "a new front", func() bool {
			found := s.find(frontTitle())
			return len(found) == 1 && found[0].pid != front.pid
		})
	}
	l.more(200)
	l.finish()
	if now := pids(s.workers("slow", 2)); !sameSet(workers, now) {
		t.Errorf("the front's death replaced workers: %v, then %v", workers, now)
	}
	if now := s.one(zygoteTitle("slow")); now.pid != zygote.pid {
		t.Errorf("the front's death replaced the zygote")
	}
}

// TestKillFrontDuringRequest: the worker of a client that lost its front finishes and serves the next front.
func TestKillFrontDuringRequest(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 1"}.String())
	c := s.dial()
	c.send("GET /held?x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	worker := s.holder("held-x", 1)
	front := s.one(frontTitle())
	kill(t, front)
	eventually(t, "a new front", func() bool {
		found := s.find(frontTitle())
		return len(found) == 1 && found[0].pid != front.pid
	})
	s.give("x")
	s.get("/pid").want(t, 200, itoa(worker))
}

// TestKillMaster: nobody outlives the master. cleanup looks for what is left.
func TestKillMaster(t *testing.T) {
	s := start(t, site{module: "hello:app", app: "processes = 2"}.String())
	s.workers("hello", 2)
	family := familyOf(s.pid())
	if len(family) < 4 {
		t.Errorf("the tree has %d processes below the master; want a front, a zygote and two workers at least", len(family))
	}
	s.unclean = true
	s.signal(syscall.SIGKILL)
	s.waitExit()
	for _, p := range waitGone(family, s.pid()) {
		t.Errorf("outlives its master: %d %q", p.pid, p.title)
	}
}

// TestCrashLoop: an application whose workers die at birth does not take the machine; the others serve.
func TestCrashLoop(t *testing.T) {
	s := start(t, site{module: "mortal:app", more: `
[app.hello]
module = "hello:app"
chdir = "$APPS"
python = "$PYTHON"

[[server.location]]
path = "/hello"
pass = "app:hello"
`}.String())
	s.get("/").want(t, 200, "alive")
	s.give("die")
	kill(t, s.workers("mortal", 1)[0])
	eventually(t, "the crash loop is reported", func() bool {
		return strings.Count(s.log.String(), `mortal`) >= 3
	})
	s.get("/hello").want(t, 200, "Hello")
	if err := os.Remove(s.file("die")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the application lives again", func() bool { return s.get("/").status == 200 })
}
