package e2e

import (
	"bytes"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestLivelyApplication: subprocesses, forks, threads and pools inside a worker work, and leave it as it was.
func TestLivelyApplication(t *testing.T) {
	// One thread: to fork while other threads hold locks is a gamble in any Python program.
	s := start(t, site{module: "lively:app"}.String())
	worker := s.get("/pid").body
	for range 3 {
		s.get("/subprocess").want(t, 200, "from a subprocess")
		if a := s.get("/fork-child"); !strings.HasPrefix(a.body, "child ended with ") {
			t.Errorf("/fork-child: got %d %q; want the child's end", a.status, short(a.body))
		}
		s.get("/thread").want(t, 200, "from a thread")
		s.get("/temporary-file").want(t, 200, "temporary")
		if a := s.get("/recursion"); a.status != 500 {
			t.Errorf("endless recursion: got %d; want 500", a.status)
		}
		s.get("/pid").want(t, 200, worker)
	}
	if a := s.get("/close-streams"); a.status != 500 {
		t.Errorf("an error without standard streams: got %d; want 500", a.status)
	}
	s.get("/pid").want(t, 200, worker)
}

// TestForkedChild: a child that an application forked and left behind takes no requests, and does not outlive the server.
func TestForkedChild(t *testing.T) {
	s := start(t, site{module: "lively:app", app: "processes = 2"}.String())
	s.get("/fork-and-leave").want(t, 200, "forked")
	l := s.startLoad(4, "/pid", func(a answer) string {
		if a.status != 200 {
			return "got " + itoa(a.status)
		}
		return ""
	})
	l.more(500)
	l.finish()
	s.give("child-may-go")
}

// TestWorkerDescriptors: uploads, files and clients that leave cost a worker no descriptor.
func TestWorkerDescriptors(t *testing.T) {
	s := start(t, site{module: "lively:app", server: `client_max_body_size = "8m"`}.String())
	large := make([]byte, 300_000)
	round := func() {
		for range 20 {
			s.send("POST", "/pid", bytes.NewReader(large)).wantStatus(t, 200)
			s.get("/temporary-file").want(t, 200, "temporary")
			c := s.dial()
			c.send("GET /subprocess HTTP/1.1\r\nHost: localhost\r\n\r\n")
			c.Close()
		}
	}
	round()
	before := s.get("/descriptors").body
	round()
	eventually(t, "the worker has as many descriptors as before: "+before, func() bool { return s.get("/descriptors").body == before })
}

// TestExitHandlers: a worker that is told to stop ends as Python programs do, atexit included, at a reload and at the end.
func TestExitHandlers(t *testing.T) {
	s := start(t, site{module: "lively:app", app: "processes = 2\nthreads = 2"}.String())
	first := pids(s.workers("lively", 2))
	s.signal(syscall.SIGHUP)
	eventually(t, "the old workers have run their exit handlers", func() bool { return sameSet(first, exited(s)) })
	second := pids(s.workers("lively", 2))
	s.signal(syscall.SIGTERM)
	s.waitExit()
	for pid := range second {
		if !exited(s)[pid] {
			t.Errorf("worker %d did not run its exit handlers", pid)
		}
	}
	if n := len(strings.Fields(s.read("exited"))); n != 4 {
		t.Errorf("%d processes ran the exit handlers; want the 4 workers, once each", n)
	}
}

func exited(s *server) map[int]bool {
	set := map[int]bool{}
	for _, pid := range strings.Fields(s.read("exited")) {
		set[number(pid)] = true
	}
	return set
}

// TestKillThreads: all requests of all threads of a killed worker are run again elsewhere.
func TestKillThreads(t *testing.T) {
	s := start(t, site{module: "slow:app", app: "processes = 1\nthreads = 4"}.String())
	victim := s.workers("slow", 1)[0]
	answers := make([]answer, 4)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = s.get("/held?" + itoa(i)) })
	}
	for i := range answers {
		s.holder("held-"+itoa(i), 1)
	}
	kill(t, victim)
	for i := range answers {
		s.holder("held-"+itoa(i), 2)
		s.give(itoa(i))
	}
	wait.Wait()
	for i, a := range answers {
		if a.status != 200 || a.body == itoa(victim.pid) {
			t.Errorf("request %d: got %d %q; want 200 from another process", i, a.status, short(a.body))
		}
	}
}

// TestNotify: systemd is told when the server serves, when it reloads and when it stops.
func TestNotify(t *testing.T) {
	v := newVariables(t)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: v.dir + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", v.dir+"/notify")
	s := startWith(t, v, site{module: "facts:app"}.String())
	expect := func(word string) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		var seen []string
		for buffer := make([]byte, 4096); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				t.Fatalf("got %q before %v; want %s", seen, err, word)
			}
			seen = append(seen, string(buffer[:n]))
			if strings.Contains("\n"+string(buffer[:n])+"\n", "\n"+word+"\n") {
				return
			}
		}
	}
	expect("READY=1")
	if env := decode[facts](t, s.get("/")).Process.Env; env["NOTIFY_SOCKET"] != "" {
		t.Errorf("the application sees NOTIFY_SOCKET")
	}
	s.signal(syscall.SIGHUP)
	expect("RELOADING=1")
	expect("READY=1")
	s.signal(syscall.SIGTERM)
	expect("STOPPING=1")
}

// TestTracebackLevel: a traceback is an error, and is in the log at that level, too.
func TestTracebackLevel(t *testing.T) {
	s := start(t, strings.Replace(site{module: "responses:app"}.String(), "[log]", "[log]\nlevel = \"error\"", 1))
	s.get("/fails").wantStatus(t, 500)
	eventually(t, "the traceback is in the log", func() bool {
		return s.log.contains("RuntimeError: the application fails") && s.log.contains("responses.py")
	})
}

// TestErrorLogFile: with error = PATH everything goes there, the application's words too.
func TestErrorLogFile(t *testing.T) {
	s := start(t, strings.Replace(site{module: "responses:app"}.String(), "[log]", "[log]\nerror = \"$DIR/error.log\"", 1))
	s.get("/fails").wantStatus(t, 500)
	s.get("/errors").wantStatus(t, 200)
	eventually(t, "the log file has it", func() bool {
		text := s.read("error.log")
		return strings.Contains(text, "RuntimeError: the application fails") && strings.Contains(text, "written to wsgi.errors")
	})
	if err := os.Rename(s.file("error.log"), s.file("error.log.1")); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGUSR1)
	eventually(t, "a new log file", func() bool {
		s.get("/errors")
		return strings.Contains(s.read("error.log"), "written to wsgi.errors")
	})
}
