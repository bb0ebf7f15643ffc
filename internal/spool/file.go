package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memFile returns an anonymous file in memory.
func memFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("hognose spool", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create a spool in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "spool in memory"), nil
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
