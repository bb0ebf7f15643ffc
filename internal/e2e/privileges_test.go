package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUsers: started as root, the front and each application run as who the config says, without root's groups; the
// key of the certificate stays root's; all of it works after a reload and after deaths, too.
func TestUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can start processes as other users")
	}
	v := publicVariables(t)
	python := pythonFor(t, "nobody")
	s := startWith(t, v, `
user = "www-data"

[log]
access = "$DIR/access.log"

[app.facts]
module = "facts:app"
chdir = "$DIR/apps"
python = "`+python+`"
user = "nobody"

[[server]]
listen = ["$HTTP", "$TLS ssl"]
certificate = { cert = "$CERT", key = "$KEY" }
client_max_body_size = "8m"

[[server.location]]
path = "/"
pass = "app:facts"
`)
	wantUsers := func() {
		t.Helper()
		for title, user := range map[string]string{frontTitle(): "www-data", zygoteTitle("facts"): "nobody", workersTitle("facts"): "nobody"} {
			p := s.one(title)
			if got := userOf(t, p); got != user {
				t.Errorf("%q runs as %s; want %s", p.title, got, user)
			}
		}
		got := decode[facts](t, s.get("/")).Process
		if got.User == 0 || got.Group == 0 || len(got.Groups) > 1 {
			t.Errorf("the application runs as %d, group %d, groups %v; want nothing of root's", got.User, got.Group, got.Groups)
		}
		if a := s.getTLS("/"); a.status != 200 {
			t.Errorf("over TLS: got %d", a.status)
		}
		if a := s.post("/", lines(3_000_000), false); a.status != 200 {
			t.Errorf("an upload that is spooled: got %d", a.status)
		}
	}
	wantUsers()
	first := s.one(frontTitle())
	kill(t, first)
	kill(t, s.one(workersTitle("facts")))
	eventually(t, "both are replaced", func() bool {
		front, workers := s.find(frontTitle()), s.find(workersTitle("facts"))
		return len(front) == 1 && front[0].pid != first.pid && len(workers) == 1
	})
	wantUsers()
	old := s.one(workersTitle("facts"))
	s.signal(syscall.SIGHUP)
	eventually(t, "the worker is replaced by the reload", func() bool {
		workers := s.find(workersTitle("facts"))
		return len(workers) == 1 && workers[0].pid != old.pid
	})
	wantUsers()
	// The front owns its log files after a rotation, too.
	if err := os.Rename(s.file("access.log"), s.file("access.log.1")); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGUSR1)
	eventually(t, "a new access log", func() bool {
		s.get("/after").wantStatus(t, 200)
		return strings.Contains(s.read("access.log"), "/after")
	})
}

// publicVariables is newVariables with a directory that every user may enter, and a copy of the applications in it.
func publicVariables(t *testing.T) *variables {
	t.Helper()
	dir, err := os.MkdirTemp("", "hognose-e2e-public-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	v := newVariables(t)
	v.dir, v.values["$DIR"] = dir, dir
	if out, err := exec.Command("cp", "-r", host.apps, filepath.Join(dir, "apps")).CombinedOutput(); err != nil {
		t.Fatalf("cannot copy the applications: %v: %s", err, out)
	}
	return v
}

// pythonFor returns an interpreter that this user can run.
func pythonFor(t *testing.T, user string) string {
	t.Helper()
	program := need(t, "util-linux", "runuser")
	for _, python := range findPythons() {
		if _, shared := describePython(python); shared && exec.Command(program, "-u", user, "--", python, "-c", "").Run() == nil {
			return python
		}
	}
	t.Fatalf("no Python with a shared libpython that %s can run; install it: apt-get install python3-dev", user)
	return ""
}

// userOf returns the name of the user a process runs as, when its real, effective, saved and file system users agree.
func userOf(t *testing.T, p process) string {
	t.Helper()
	status, _ := os.ReadFile(filepath.Join("/proc", itoa(p.pid), "status"))
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 5 && fields[0] == "Uid:" {
			if fields[1] != fields[2] || fields[2] != fields[3] || fields[3] != fields[4] {
				t.Errorf("process %d %q: %s", p.pid, p.title, line)
			}
			out, _ := exec.Command("id", "-un", fields[1]).Output()
			return strings.TrimSpace(string(out))
		}
	}
	return ""
}
