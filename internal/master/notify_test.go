package master

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNotify: systemd is told when start, reload and stop begin and end, and children cannot speak in the master's name.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	next := func(wants ...string) {
		t.Helper()
		buf := make([]byte, 1024)
		n, err := conn.Read(buf)
		for _, want := range wants {
			if err != nil || !strings.Contains(string(buf[:n]), want) {
				t.Errorf("got %q, %v; want %q in it", buf[:n], err, want)
			}
		}
	}
	tr := start(t, oneApp)
	next("READY=1", "STATUS=Serving app blog (2 workers)")
	tr.reload("reload is done", 1)
	next("RELOADING=1", "MONOTONIC_USEC=")
	next("READY=1")
	tr.configure(oneApp + "nonsense = 1\n")
	tr.reload("reload failed", 1)
	next("RELOADING=1")
	next("READY=1")
	tr.signals <- unix.SIGTERM
	next("STOPPING=1")
}

// TestSocketActivation: a socket that systemd has opened is used, and stays systemd's.
func TestSocketActivation(t *testing.T) {
	dir := masterDir(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "http.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec /proc/`+"$PPID"+`/exe`)
	cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	startMaster(t, cmd, dir)
	file.Close()
	if answer, err := ask(filepath.Join(dir, "http.sock"), "blog"); err != nil || answer == "" {
		t.Errorf("got %q, %v", answer, err)
	}
	must(cmd.Process.Signal(unix.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the master ended with %v", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "http.sock"), &st); err != nil {
		t.Errorf("systemd's socket: %v; want it left alone", err)
	}
}
