package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Descriptor returns a descriptor from which another process can read p, and whether it is a pipe. A pipe costs
// about half of a file in memory, which is used when the system grants no pipe of that size (see pipe(7), pipe-max-size).
func Descriptor(p []byte) (f *os.File, pipe bool, err error) {
	if f, err := fullPipe(p); err == nil {
		return f, true, nil
	}
	fd, err := unix.MemfdCreate("hognose spool", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, false, fmt.Errorf("cannot create a file in memory: %w", err)
	}
	f = os.NewFile(uintptr(fd), "spool in memory")
	if _, err := f.WriteAt(p, 0); err != nil {
		f.Close()
		return nil, false, fmt.Errorf("cannot write a file in memory: %w", err)
	}
	return f, false, nil
}

// fullPipe returns the reading end of a pipe that holds p.
func fullPipe(p []byte) (*os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	defer unix.Close(fds[1])
	_, err := unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, len(p))
	for rest := p; err == nil && len(rest) > 0; {
		var n int
		n, err = unix.Write(fds[1], rest)
		rest = rest[max(n, 0):]
	}
	if err == nil {
		err = unix.SetNonblock(fds[0], false)
	}
	if err != nil {
		unix.Close(fds[0])
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "spool in a pipe"), nil
}

// diskFile returns a nameless file in dir; "" is the system's directory for temporary files.
func diskFile(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	fd, err := unix.Open(dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "spool in "+dir), nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return nil, fmt.Errorf("cannot create a spool file in temp_path %q: %w", dir, err)
	}
	// Some file systems (overlay, NFS) have no O_TMPFILE.
	f, err := os.CreateTemp(dir, "hognose-spool-")
	if err != nil {
		return nil, fmt.Errorf("cannot create a spool file in temp_path %q: %w", dir, err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot unlink the spool file %q: %w", f.Name(), err)
	}
	return f, nil
}
