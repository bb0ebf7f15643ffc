package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what normally takes milliseconds.
const patience = 60 * time.Second

const application = `
import os, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        time.sleep(600)
    if path == "/orphan":
        pid = os.fork()
        if not pid:
            orphan = os.fork()
            while not orphan and not os.path.exists("go"):
                time.sleep(0.01)
            os._exit(0)
        os.waitpid(pid, 0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getuid()]
`

// build builds hognose where every user may execute it.
func build(t *testing.T, dir string) string {
	t.Helper()
	binary := filepath.Join(dir, "hognose")
	if out, err := exec.Command("go", "build", "-o", binary, "hognose/cmd/hognose").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// publicDir returns a new directory that every user may enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hognose-deploy-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write(t, filepath.Join(dir, "app.py"), application)
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pythonOf finds an interpreter with a shared libpython that a user can run.
func pythonOf(t *testing.T, uid uint32) string {
	t.Helper()
	for _, name := range []string{os.Getenv("PYTHON"), "python3", "/usr/bin/python3", "/usr/local/bin/python3"} {
		if name == "" {
			continue
		}
		cmd := exec.Command(name, "-c", "import sys, sysconfig as s; print(sys.executable if '.so' in (s.get_config_var('INSTSONAME') or '') else '')")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if out, err := cmd.Output(); err == nil && len(bytes.TrimSpace(out)) > 0 {
			return string(bytes.TrimSpace(out))
		}
	}
	t.Skipf("user %d can run no Python with a shared libpython here", uid)
	return ""
}

// server is a running hognose.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	logs bytes.Buffer
	done chan error
}

// start runs hognose until the end of the test, when it must stop on SIGTERM and exit with 0.
func start(t *testing.T, cmd *exec.Cmd, url string) *server {
	t.Helper()
	s := &server{t: t, cmd: cmd, url: url, done: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = &s.logs, &s.logs
	err := cmd.Start()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("the machine does not allow it: %v", err) // a container that may not make namespaces
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- cmd.Wait() }()
	t.Cleanup(s.stop)
	return s
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which Wait tells
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("hognose: %v", err)
		}
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("hognose does not stop")
	}
	if s.t.Failed() {
		s.t.Logf("log:\n%s", &s.logs)
	}
}

// get returns status and body of a response, retrying while nobody listens yet.
func (s *server) get(path string) (int, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if errors.Is(err, syscall.ECONNREFUSED) && len(s.done) == 0 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			s.t.Fatalf("GET %s: %v", path, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			s.t.Fatalf("GET %s: %v", path, err)
		}
		return resp.StatusCode, string(body)
	}
}

// wait polls for something.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("not so after %s: %s", patience, what)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give up rights")
	}
}

// confined returns hognose's command line with the given capabilities and no others, and without new privileges.
func confined(t *testing.T, capabilities []string, command ...string) []string {
	t.Helper()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Fatal("there is no setpriv; install it: apt-get install util-linux")
	}
	set := "-all"
	for _, c := range capabilities {
		set += ",+" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
	}
	return append([]string{setpriv, "--no-new-privs", "--inh-caps=-all", "--bounding-set=" + set}, command...)
}

// TestUnitCapabilities: what the unit leaves of root's rights is enough: for a port below 1024, for users, for a socket in
// a directory of somebody else, and to kill a worker.
func TestUnitCapabilities(t *testing.T) {
	needRoot(t)
	capabilities := strings.Fields(readUnit(t, "hognose.service").one(t, "CapabilityBoundingSet"))
	dir := publicDir(t)
	args := confined(t, capabilities, build(t, dir), "run", "-c", filepath.Join(dir, "hognose.toml"))
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	private := filepath.Join(dir, "private")
	if err := errors.Join(os.Mkdir(private, 0o700), os.Chown(private, uid, -1)); err != nil {
		t.Fatal(err)
	}
	// An address of this process's own.
	addr := fmt.Sprintf("127.%d.%d.1:80", os.Getpid()>>8&0x7f, os.Getpid()&0xff)
	write(t, filepath.Join(dir, "hognose.toml"), fmt.Sprintf(`
user = "nobody"

[app.a]
module = "app:app"
python = %q
harakiri = "1s"
socket = "private/app.sock"
chown_socket = "nobody"

[[server]]
listen = %q

[[server.location]]
path = "/"
pass = "app:a"
`, pythonOf(t, uint32(uid)), addr))
	s := start(t, exec.Command(args[0], args[1:]...), "http://"+addr)
	if code, body := s.get("/"); code != 200 || body != nobody.Uid {
		t.Errorf("got %d %q; want 200 and user %s", code, body, nobody.Uid)
	}
	if code, _ := s.get("/hang"); code != 504 {
		t.Errorf("a request that hangs: got %d; want 504", code)
	}
	if code, body := s.get("/"); code != 200 {
		t.Errorf("after the worker was killed: got %d %q; want 200", code, body)
	}
	if c, err := net.Dial("unix", filepath.Join(private, "app.sock")); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

// TestFirstProcess: as in a container, hognose is PID 1, without any capability. It reaps orphans, and SIGTERM stops it.
func TestFirstProcess(t *testing.T) {
	needRoot(t)
	dir := publicDir(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	args := confined(t, nil, build(t, dir), "run", "app:app", "--chdir", dir, "--bind", addr)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pythonOf(t, 0))+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	s := start(t, cmd, "http://"+addr)
	s.get("/")
	before := children(t, cmd.Process.Pid)
	if code, body := s.get("/orphan"); code != 200 {
		t.Fatalf("got %d %q; want 200", code, body)
	}
	wait(t, "the orphan is the master's", func() bool { return children(t, cmd.Process.Pid) == before+1 })
	write(t, filepath.Join(dir, "go"), "")
	wait(t, "the orphan is reaped", func() bool { return children(t, cmd.Process.Pid) == before })
}

// children counts the children of a process, dead ones that it has not reaped included.
func children(t *testing.T, parent int) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range stats {
		data, _ := os.ReadFile(path) // a process may end while one looks
		end := bytes.LastIndexByte(data, ')')
		if fields := strings.Fields(string(data[end+1:])); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			count++
		}
	}
	return count
}
