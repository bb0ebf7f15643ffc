package master

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// gone polls until none of the processes is there any more, not even unreaped.
func (tr *tree) gone(pids ...int) {
	tr.t.Helper()
	eventually(tr.t, fmt.Sprintf("processes %v are gone", pids), func() bool {
		return !slices.ContainsFunc(pids, func(pid int) bool {
			_, err := os.Stat("/proc/" + strconv.Itoa(pid))
			return err == nil
		})
	})
}

// newPIDs waits until the workers of an application are ready, and none of them is an old one.
func (tr *tree) newPIDs(app string, old ...int) []int {
	tr.t.Helper()
	var pids []int
	eventually(tr.t, "app "+app+" has new workers", func() bool {
		pids = tr.pids(app)
		return !slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(old, pid) })
	})
	return pids
}

func TestKillWorker(t *testing.T) {
	tr := start(t, oneApp)
	zygote, pids := tr.zygote("blog"), tr.pids("blog")
	tr.kill(pids[0])
	tr.gone(pids[0])
	now := tr.newPIDs("blog", pids[0])
	if now[1] != pids[1] || tr.zygote("blog") != zygote {
		t.Errorf("workers %v, then %v; zygote %d, then %d; want only the first worker replaced", pids, now, zygote, tr.zygote("blog"))
	}
	tr.waitLog("worker was killed by SIGKILL", 1)
	for range 10 {
		tr.answers("blog", now...)
	}
}

// TestKillBusyWorker: the report names the request that was interrupted.
func TestKillBusyWorker(t *testing.T) {
	tr := start(t, strings.Replace(oneApp, "processes = 2", "processes = 1", 1))
	pid := tr.pids("blog")[0]
	tr.answers("blog", pid)
	tr.tell("blog/hold")
	go func() { _, _ = ask(tr.path("http.sock"), "blog hold") }() // it gets no answer
	tr.see("the worker is busy", func(m *Master) bool { return len(m.apps["blog"].active.workers[0].requests()) == 1 })
	tr.kill(pid)
	tr.waitLog(`"requests":[2]`, 1)
	tr.forget("blog/hold")
	tr.newPIDs("blog", pid)
}

// TestCrashLoop: the first replacement comes at once, the next ones after growing pauses, until the worker has held for a while.
func TestCrashLoop(t *testing.T) {
	tr := newTree(t, strings.Replace(oneApp, "processes = 2", "processes = 1", 1))
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	pid := tr.pids("blog")[0]
	die := func() {
		t.Helper()
		tr.kill(pid)
		tr.gone(pid)
	}
	die()
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		pid = tr.newPIDs("blog", pid)[0]
		die()
		tr.see("the worker waits", func(m *Master) bool { return m.apps["blog"].active.workers[0].state == workerWaiting })
		tr.clock.advance(pause*time.Second - 1)
		tr.see("the worker still waits", func(m *Master) bool { return m.apps["blog"].active.workers[0].state == workerWaiting })
		tr.clock.advance(1)
	}
	tr.waitLog(`"failures":8`, 1)
	pid = tr.newPIDs("blog", pid)[0]
	tr.clock.advance(healthy)
	die()
	tr.moved("blog", tr.newPIDs("blog", pid)...)
}

// TestDiesAtBirth: a worker that cannot start does not start all the time.
func TestDiesAtBirth(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	pids := tr.pids("blog")
	tr.tell("blog/worker-die")
	tr.kill(pids[0])
	tr.waitLog("the next one starts in 1s", 1)
	tr.answers("blog", pids[1])
	tr.forget("blog/worker-die")
	tr.clock.advance(time.Second)
	tr.moved("blog", tr.newPIDs("blog", pids[0])...)
}

// TestKillZygote: the workers serve on, and are replaced when the next zygote has workers.
func TestKillZygote(t *testing.T) {
	tr := start(t, oneApp)
	zygote, pids, front := tr.zygote("blog"), tr.pids("blog"), tr.frontPID()
	tr.tell("blog/import-hang")
	tr.kill(zygote)
	tr.gone(zygote)
	for range 10 {
		tr.answers("blog", pids...)
	}
	tr.forget("blog/import-hang")
	now := tr.newPIDs("blog", pids...)
	tr.gone(pids...)
	tr.moved("blog", now...)
	if tr.zygote("blog") == zygote || tr.frontPID() != front {
		t.Error("want a new zygote, and the same front")
	}
}

// TestKillZygoteAndWorkers: all at once, and workers that lost their parent before they die.
func TestKillZygoteAndWorkers(t *testing.T) {
	tr := start(t, oneApp)
	pids := tr.pids("blog")
	tr.kill(tr.zygote("blog"))
	for _, pid := range pids {
		tr.kill(pid)
	}
	now := tr.newPIDs("blog", pids...)
	tr.moved("blog", now...)

	tr.tell("blog/import-hang")
	zygote := tr.zygote("blog")
	tr.kill(zygote)
	tr.gone(zygote)
	tr.kill(now[0])
	tr.gone(now[0]) // the master has reaped it
	tr.answers("blog", now[1])
	tr.forget("blog/import-hang")
	tr.moved("blog", tr.newPIDs("blog", now...)...)
}

// TestKillZygoteOfBrokenCode: as long as the new zygote cannot import, the old workers serve on.
func TestKillZygoteOfBrokenCode(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	pids := tr.pids("blog")
	tr.tell("blog/import-fail")
	tr.kill(tr.zygote("blog"))
	tr.waitLog("another zygote starts in 1s", 1)
	tr.answers("blog", pids...)
	tr.clock.advance(time.Second)
	tr.waitLog("another zygote starts in 2s", 1)
	tr.answers("blog", pids...)
	tr.forget("blog/import-fail")
	tr.clock.advance(2 * time.Second)
	tr.moved("blog", tr.newPIDs("blog", pids...)...)
}

// TestReloadAfterZygote: a reload does what the replacement of the zygote would have done.
func TestReloadAfterZygote(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	pids := tr.pids("blog")
	tr.tell("blog/import-fail")
	tr.kill(tr.zygote("blog"))
	tr.waitLog("another zygote starts in 1s", 1)
	tr.reload("is not used; the old goes on", 1)
	tr.waitLog("reload is done", 1)
	tr.waitLog("another zygote starts in 2s", 1) // the reload has taken the place of the other try
	tr.forget("blog/import-fail")
	tr.reload("reload is done", 2)
	tr.moved("blog", tr.newPIDs("blog", pids...)...)
}

// TestKillFront: the next front gets the waiting connections and the same workers.
func TestKillFront(t *testing.T) {
	tr := newTree(t, twoApps)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	blog, api := tr.pids("blog"), tr.pids("api")
	tr.kill(tr.frontPID())
	for range 5 {
		tr.answers("blog", blog...)
		tr.answers("api", api...)
	}
	front := tr.frontPID()
	tr.kill(front)
	tr.waitLog("the front is replaced in 1s", 1)
	answer := make(chan string)
	go func() {
		got, err := ask(tr.path("http.sock"), "api")
		answer <- fmt.Sprint(got, err)
	}()
	tr.clock.advance(time.Second)
	if got, want := <-answer, fmt.Sprint(api[0])+"<nil>"; got != want {
		t.Errorf("a connection that waited for the front got %q; want %q", got, want)
	}
	if now := tr.pids("blog"); !slices.Equal(now, blog) {
		t.Errorf("workers %v, then %v; want the same", blog, now)
	}
}

// TestKillFrontAndWorker: a worker that comes while there is no front serves the next one.
func TestKillFrontAndWorker(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	pids := tr.pids("blog")
	tr.tell("front-die")
	tr.kill(tr.frontPID())
	tr.waitLog("the front is replaced in 1s", 1)
	tr.kill(pids[0])
	tr.kill(pids[1])
	pids = tr.newPIDs("blog", pids...)
	tr.forget("front-die")
	tr.clock.advance(time.Second)
	seen := map[string]bool{}
	eventually(t, "both workers answer", func() bool {
		seen[tr.ask("blog")] = true
		return seen[strconv.Itoa(pids[0])] && seen[strconv.Itoa(pids[1])]
	})
}

// TestHarakiri: a worker that the front complains of is replaced at once, each time; one that is not there any more is not.
func TestHarakiri(t *testing.T) {
	tr := newTree(t, strings.Replace(oneApp, "processes = 2", "processes = 1", 1))
	tr.useFakeClock()
	tr.run()
	tr.waitState(stateServing)
	for i := range 4 {
		pid := tr.pids("blog")[0]
		tr.ask(fmt.Sprintf("blog kill %d 7", pid))
		tr.ask(fmt.Sprintf("blog kill %d 0", pid+100000))
		tr.ask(fmt.Sprintf("blog kill %d 0", pid))
		tr.moved("blog", tr.newPIDs("blog", pid)...)
		tr.waitLog("because the front asks", i+1)
	}
	if log := tr.read("error.log"); strings.Contains(log, "keeps dying") || strings.Count(log, "because the front asks") != 4 {
		t.Errorf("log:\n%s", log)
	}
}

// TestStrangers: processes that an application leaves behind are reaped when they end.
func TestStrangers(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.tell("blog/worker-leaves-child")
	tr.run()
	tr.waitState(stateServing)
	tr.waitLog("left behind", 2) // one by each worker
	tr.answers("blog", tr.pids("blog")...)
}

// TestStoppedWorker: a worker that does not read its control socket does not stop the master.
func TestStoppedWorker(t *testing.T) {
	tr := start(t, oneApp)
	pids := tr.pids("blog")
	must(unix.Kill(pids[0], unix.SIGSTOP))
	tr.do(func() {
		w := tr.m.apps["blog"].active.workers[0]
		for w.control.send(controlDrop(99)) == nil {
		}
	})
	tr.answers("blog", pids[1])
	tr.kill(tr.frontPID()) // the next front cannot be made known to it: it is replaced
	tr.answers("blog", append(tr.newPIDs("blog", pids[0]), pids[1])...)
}
