package master

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBoot(t *testing.T) {
	tr := start(t, twoApps)
	blog, api := tr.pids("blog"), tr.pids("api")
	if len(blog) != 2 || len(api) != 1 {
		t.Fatalf("workers: %v and %v; want 2 and 1", blog, api)
	}
	for range 5 {
		tr.answers("blog", blog...)
		tr.answers("api", api...)
	}
	tr.waitLog("ready: http://unix:"+tr.path("http.sock")+" serving app api (1 worker), app blog (2 workers)", 1)
	tr.waitLog(`"message":"importing"`, 2)
	told := strings.Split(strings.TrimSpace(tr.read("told")), "\n")
	if n := strings.Count(tr.read("told"), " activate "); n != 2 {
		t.Errorf("the front was told to activate %d times; want 2", n)
	}
	for i, line := range told {
		if strings.Contains(line, " listeners ") {
			if rest := strings.Join(told[i+1:], "\n"); strings.Contains(rest, "activate") {
				t.Errorf("told after the listeners: %s", rest)
			}
		}
	}
}

// fails runs a tree whose start must fail with an error that has all these texts. Nothing may be left, which cleanup looks at.
func (tr *tree) fails(wants ...string) {
	tr.t.Helper()
	tr.run()
	err := tr.wait()
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			tr.t.Errorf("Run returned %v; want %q in it", err, want)
		}
	}
}

func TestBootFailures(t *testing.T) {
	t.Run("configuration", func(t *testing.T) {
		tr := newTree(t, oneApp)
		err := errors.New("line 3 makes no sense")
		tr.loadErr.Store(&err)
		tr.fails("line 3 makes no sense")
	})
	t.Run("interpreter", func(t *testing.T) {
		tr := newTree(t, oneApp)
		err := errors.New("there is no snake")
		tr.prepare.Store(&err)
		tr.fails(`app "blog"`, "there is no snake")
	})
	t.Run("chdir", func(t *testing.T) {
		tr := newTree(t, strings.Replace(oneApp, "DIR/blog", "DIR/nowhere", 1))
		tr.fails(`app "blog"`, "chdir", "nowhere")
	})
	t.Run("import", func(t *testing.T) {
		tr := newTree(t, twoApps)
		tr.tell("blog/import-fail")
		tr.tell("api/import-hang")
		tr.fails(`app "blog"`, "SyntaxError: broken")
		tr.waitLog("Traceback (most recent call last):", 1)
		if tr.read("told") != "" {
			t.Error("a front was started")
		}
	})
	t.Run("zygote", func(t *testing.T) {
		tr := newTree(t, oneApp)
		tr.tell("blog/import-die")
		tr.fails(`app "blog"`, "exited with code 3")
	})
	t.Run("worker", func(t *testing.T) {
		tr := newTree(t, oneApp)
		tr.tell("blog/worker-die")
		tr.fails(`app "blog"`, "exited with code 7")
	})
	t.Run("front", func(t *testing.T) {
		tr := newTree(t, oneApp)
		tr.tell("front-die")
		tr.fails("the front", "exited with code 5")
	})
	t.Run("routes", func(t *testing.T) {
		tr := newTree(t, oneApp)
		tr.tell("front-refuse")
		tr.fails("routes make no sense")
	})
	t.Run("log", func(t *testing.T) {
		tr := newTree(t, strings.Replace(oneApp, "DIR/error.log", "DIR/none/error.log", 1))
		tr.fails("log", filepath.Join(tr.dir, "none"))
	})
	t.Run("pid file", func(t *testing.T) {
		tr := newTree(t, "pid = \"DIR/none/pid\"\n"+oneApp)
		tr.fails("pid file", filepath.Join(tr.dir, "none"))
	})
}

// TestBootOnBusyAddress: sockets that were opened before the one that cannot be are removed again.
func TestBootOnBusyAddress(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	address := ln.Addr().String()
	tr := newTree(t, strings.Replace(oneApp, `"unix:DIR/http.sock"`, `["unix:DIR/http.sock", "`+address+`"]`, 1))
	tr.fails(address, "address already in use")
}

func TestStopDuringBoot(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.tell("blog/import-hang")
	tr.run()
	tr.waitLog("importing", 1)
	tr.signals <- unix.SIGTERM
	if err := tr.wait(); err != nil {
		t.Errorf("Run returned %v; want nil", err)
	}
}

// TestSlowImport: an import that takes long is mentioned, and given up in the end.
func TestSlowImport(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.tell("blog/import-hang")
	tr.run()
	tr.waitLog(`"message":"importing"`, 1)
	tr.clock.advance(importWarning)
	tr.waitLog("still importing after 30s", 1)
	for range longestStart / importWarning {
		tr.clock.advance(importWarning)
	}
	err := tr.wait()
	if err == nil || !strings.Contains(err.Error(), `app "blog"`) || !strings.Contains(err.Error(), "still importing") {
		t.Errorf("Run returned %v", err)
	}
}

// TestFrontNeverReady: a front that hangs at its start is killed.
func TestFrontNeverReady(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.useFakeClock()
	tr.tell("front-hang")
	tr.run()
	tr.see("the front is there", func(m *Master) bool { return m.front != nil })
	tr.clock.advance(applyPatience)
	err := tr.wait()
	if err == nil || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("Run returned %v; want the front killed", err)
	}
}

func TestPIDFile(t *testing.T) {
	toml := "pid = \"DIR/pid\"\n" + oneApp
	tr := start(t, toml)
	if got := strings.TrimSpace(tr.read("pid")); got != strconv.Itoa(os.Getpid()) {
		t.Errorf("the pid file holds %q; want %d", got, os.Getpid())
	}
	tr.configure(strings.Replace(toml, "DIR/pid", "DIR/other", 1))
	tr.reload("reload is done", 1)
	if tr.read("pid") != "" || tr.read("other") == "" {
		t.Errorf("pid files hold %q and %q; want the second only", tr.read("pid"), tr.read("other"))
	}
	tr.signals <- unix.SIGTERM
	if err := tr.wait(); err != nil {
		t.Error(err)
	}
	if tr.read("other") != "" {
		t.Error("the pid file is still there")
	}
}

// TestUsers: started as root, front and application run as the users that the configuration names.
func TestUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		tr := start(t, `user = "nobody"`+oneApp)
		tr.waitLog("keeps the user that started hognose", 1)
		return
	}
	tr := newTree(t, `user = "nobody"`+oneApp)
	must(os.Chmod(tr.dir, 0o777))
	tr.fails(`app "blog"`, tr.path("blog"), `user "nobody" may enter`)
	tr = newTree(t, `user = "nobody"`+oneApp)
	must(os.Chmod(filepath.Dir(tr.dir), 0o755))
	must(os.Chmod(tr.dir, 0o777))
	tr.run()
	tr.waitState(stateServing)
	nobody, err := lookUpOwner("nobody", "")
	if err != nil {
		t.Fatal(err)
	}
	wantUID(t, tr.frontPID(), nobody.uid)
	wantUID(t, tr.zygote("blog"), nobody.uid)
	wantUID(t, tr.pids("blog")[0], nobody.uid)
	tr.answers("blog", tr.pids("blog")...)
}

func wantUID(t *testing.T, pid int, uid uint32) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("\nUid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid)
	if !strings.Contains(string(status), want) {
		t.Errorf("process %d has status\n%s\nwant %q", pid, status, want)
	}
}

// TestDrainedOutput: what a child prints last is in the log when Run returns.
func TestDrainedOutput(t *testing.T) {
	tr := newTree(t, oneApp)
	tr.tell("blog/import-fail")
	tr.run()
	if err := tr.wait(); err == nil {
		t.Fatal("Run returned nil")
	}
	if log := tr.read("error.log"); !strings.Contains(log, `"message":"SyntaxError: broken"`) {
		t.Errorf("the log lacks the traceback's last line:\n%s", log)
	}
}
