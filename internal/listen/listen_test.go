package listen

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func mustOpen(t *testing.T, spec Spec) *Socket {
	t.Helper()
	if spec.Backlog == 0 {
		spec.Backlog = 16
	}
	s, err := Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Abandon() })
	return s
}

// unixSpec is a socket of ours in dir.
func unixSpec(dir string) Spec {
	return Spec{Network: "unix", Address: filepath.Join(dir, "s"), Mode: 0o620, UID: -1, GID: -1, Vacuum: true, Backlog: 16}
}

func connects(t *testing.T, s *Socket) {
	t.Helper()
	network := "tcp"
	if s.Network == "unix" {
		network = "unix"
	}
	c, err := net.Dial(network, s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestTCP(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		s := mustOpen(t, Spec{Network: network, Address: address})
		if strings.HasSuffix(s.Addr(), ":0") {
			t.Errorf("%s: address is %q; want the real port", network, s.Addr())
		}
		connects(t, s)
		_, err := Open(Spec{Network: network, Address: s.Addr(), Backlog: 16})
		if err == nil || !strings.Contains(err.Error(), s.Addr()) || !strings.Contains(err.Error(), "another program") {
			t.Errorf("second socket on %s: %v; want an error with the address and what to do", s.Addr(), err)
		}
		if err := s.Update(Spec{Network: network, Address: address, Backlog: 99}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFDStaysNonBlocking: what a front does to its copy of the descriptor is not undone here.
func TestFDStaysNonBlocking(t *testing.T) {
	s := mustOpen(t, Spec{Network: "tcp4", Address: "127.0.0.1:0"})
	if err := unix.SetNonblock(int(s.File().Fd()), true); err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(s.File().Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags are %#x, %v; want O_NONBLOCK kept", flags, err)
	}
}

func TestReusePort(t *testing.T) {
	s := mustOpen(t, Spec{Network: "tcp4", Address: "127.0.0.1:0", ReusePort: true})
	mustOpen(t, Spec{Network: "tcp4", Address: s.Addr(), ReusePort: true})
}

func TestUnix(t *testing.T) {
	spec := unixSpec(t.TempDir())
	s := mustOpen(t, spec)
	connects(t, s)
	wantMode(t, spec.Address, 0o620)
	spec.Mode = 0o666
	if err := s.Update(spec); err != nil {
		t.Fatal(err)
	}
	wantMode(t, spec.Address, 0o666)
	if _, err := Open(spec); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("second socket: %v; want an error", err)
	}
	connects(t, s) // which the second try has not broken
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(spec.Address); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o; want %o", path, got, want)
	}
}

func TestUnixStale(t *testing.T) {
	spec := unixSpec(t.TempDir())
	mustOpen(t, spec).Abandon()
	connects(t, mustOpen(t, spec))
}

func TestUnixKeepsForeignFile(t *testing.T) {
	spec := unixSpec(t.TempDir())
	if err := os.WriteFile(spec.Address, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(spec); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v; want an error", err)
	}
	if data, _ := os.ReadFile(spec.Address); string(data) != "precious" {
		t.Errorf("the file holds %q", data)
	}
}

// TestVacuumKeepsSuccessor: a socket that someone else has put at our path stays.
func TestVacuumKeepsSuccessor(t *testing.T) {
	spec := unixSpec(t.TempDir())
	first := mustOpen(t, spec)
	if err := os.Rename(spec.Address, spec.Address+".old"); err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, spec)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	connects(t, second)
}

func TestNoVacuum(t *testing.T) {
	spec := unixSpec(t.TempDir())
	spec.Vacuum = false
	s := mustOpen(t, spec)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(spec.Address); err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	f := func(spec Spec, want string) {
		t.Helper()
		if _, err := Open(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q in it", spec, err, want)
		}
	}
	spec := unixSpec(t.TempDir())
	spec.Address = filepath.Join(filepath.Dir(spec.Address), "none", "s")
	f(spec, "create the directory first")
	f(Spec{Network: "tcp4", Address: "192.0.2.1:0", Backlog: 1}, "no interface")
	f(Spec{Network: "tcp6", Address: "[fe80::1%nosuch0]:0", Backlog: 1}, "nosuch0")
}

func TestInherited(t *testing.T) {
	first := mustOpen(t, Spec{Network: "tcp4", Address: "127.0.0.1:0"})
	addr := first.Addr()
	in := Inherited{addr: first.File()}
	s, ok := in.Take(Spec{Network: "tcp4", Address: addr, Backlog: 8})
	if !ok {
		t.Fatal("the inherited socket is not found")
	}
	connects(t, s)
	if _, ok := in.Take(s.Spec); ok {
		t.Error("the socket is taken twice")
	}
	if left := in.Close(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
