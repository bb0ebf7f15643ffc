package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestDiskFull: where the spool has no room a request is answered 500 or 507, a response is at worst cut, and all goes on.
func TestDiskFull(t *testing.T) {
	v := newVariables(t)
	v.writeConfig(site{module: "slow:app", top: `temp_path = "$DIR/spool"`, app: "processes = 2", server: `client_max_body_size = "1g"`}.String())
	if err := os.Mkdir(v.dir+"/spool", 0o777); err != nil {
		t.Fatal(err)
	}
	s := launchCommand(t, v, withSmallDisk(t, v.dir+"/spool", "4m", host.binary, "run", "-c", v.config()))
	s.waitReady()

	const size = 32 << 20
	for range 3 {
		a := s.upload(size)
		if a.status != 500 && a.status != 507 {
			t.Errorf("an upload that does not fit: got %d %q; want 500 or 507", a.status, short(a.body))
		}
		s.get("/pid").wantStatus(t, 200)
	}
	eventually(t, "the full disk is logged", func() bool { return s.log.contains("no space left on device") })

	// A slow reader of a response that does not fit either.
	slow := s.dial()
	slow.send(fmt.Sprintf("GET /download?%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", size))
	slow.readUntil("\r\n\r\n")
	s.wantHello(50)
	// It may have been cut or may have had to wait; it must end, and must not be padded.
	if n := len(drain(slow)); n > size {
		t.Errorf("the slow reader got %d bytes of %d", n, size)
	}

	// Room again: what was spooled has been given back.
	small := make([]byte, 3<<20)
	a := s.send("PUT", "/upload", bytes.NewReader(small))
	if a.status != 200 || !strings.HasPrefix(a.body, itoa(len(small))+" ") {
		t.Errorf("an upload that fits: got %d %q; want 200", a.status, a.body)
	}
}

// upload sends a body for as long as the server takes it, and reads the response that may come early.
func (s *server) upload(size int) answer {
	s.t.Helper()
	c := s.dial()
	c.send(fmt.Sprintf("PUT /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", size))
	go func() { _, _ = c.Write(make([]byte, size)) }()
	return c.read("PUT")
}

// drain reads until the end, however it comes.
func drain(c *rawConn) []byte {
	var all bytes.Buffer
	_, _ = all.ReadFrom(c.r)
	return all.Bytes()
}

// withSmallDisk returns a command that runs in a mount namespace of its own, with a tmpfs of that size on dir.
func withSmallDisk(t *testing.T, dir, size string, command ...string) *exec.Cmd {
	t.Helper()
	script := `mount -t tmpfs -o mode=1777,size="$1" tmpfs "$2" && shift 2 && exec "$@"`
	namespace := func(args ...string) *exec.Cmd {
		cmd := exec.Command("sh", append([]string{"-c", script, "sh", size, dir}, args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if os.Geteuid() != 0 {
			// An ordinary user may mount inside a user namespace, as its root.
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
			}
		}
		return cmd
	}
	if out, err := namespace("true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: this machine lets nobody mount a small disk (%v: %s)", err, bytes.TrimSpace(out))
	}
	return namespace(command...)
}
