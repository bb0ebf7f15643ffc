package staticfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags let an open neither wait (FIFOs), nor take a controlling terminal, nor leak into a child.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC | unix.O_LARGEFILE

// dir is a root directory that is held open. Names are resolved beneath it.
type dir struct {
	file *os.File // for openat2
	root *os.Root // instead, where the kernel has no openat2
	id   fileID
	// checked is when the path was last seen to lead here, on the cache's clock.
	checked atomic.Int64
}

// fileID tells files apart.
type fileID struct{ dev, ino uint64 }

// openDir opens the directory that path leads to now. Links in path itself are the operator's and are followed.
func openDir(path string, portable bool) (*dir, error) {
	if portable {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, bare(err)
		}
		fi, err := root.Stat(".")
		if err != nil {
			root.Close()
			return nil, bare(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		return &dir{root: root, id: fileID{st.Dev, st.Ino}}, nil
	}
	file, err := os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, bare(err)
	}
	var st unix.Stat_t
	if err := control(file, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		file.Close()
		return nil, err
	}
	return &dir{file: file, id: fileID{st.Dev, st.Ino}}, nil
}

// identify returns what path leads to now.
func identify(path string) (fileID, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Stat(path, &st) })
	return fileID{st.Dev, st.Ino}, err
}

// close gives the descriptor back; opens that run are finished first, later ones fail with fs.ErrClosed.
func (d *dir) close() {
	// Nothing was written: an error of close(2) has nothing to tell.
	if d.root != nil {
		d.root.Close()
		return
	}
	d.file.Close()
}

// open opens name, relative, beneath the directory. The result is a plain descriptor, owned by the caller.
func (d *dir) open(name string, flags int) (fd int, err error) {
	if name == "" {
		name = "."
	}
	if d.root != nil {
		return d.openPortable(name, flags)
	}
	how := unix.OpenHow{
		Flags:   uint64(flags),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	err = control(d.file, func(at int) error {
		return retry(func() error {
			fd, err = unix.Openat2(at, name, &how)
			return err
		})
	})
	return fd, err
}

// openPortable is open by os.Root, which walks the name itself.
func (d *dir) openPortable(name string, flags int) (fd int, err error) {
	// Unlike the kernel, os.Root does not mind a final slash after a file.
	f, err := d.root.OpenFile(filepath.Clean(name), flags&^unix.O_PATH, 0)
	if err != nil {
		return -1, bare(err)
	}
	defer f.Close()
	err = control(f, func(own int) error {
		fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// resolved returns the directory's real path, "" when /proc cannot tell.
func (d *dir) resolved() string {
	fd, err := d.open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	return path
}

// control calls f with the descriptor of file, which stays open meanwhile. It fails with fs.ErrClosed, or as f does.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return fs.ErrClosed
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return fs.ErrClosed // what else could keep f from running has no reason
	}
	return inner
}

// retry repeats f while it was interrupted, or while a rename anywhere made the
// kernel unsure whether the walk stayed beneath the root (EAGAIN of openat2). The
// latter is bounded: renames may go on for ever.
func retry(f func() error) error {
	again := 0
	for {
		err := f()
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && again < 32:
			again++
		default:
			return err
		}
	}
}

// bare strips the path from an error of package os: our messages name it themselves.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// hasOpenat2 reports whether the kernel has openat2 (Linux 5.6) and a sandbox does not forbid it.
func hasOpenat2() bool {
	fd, err := unix.Openat2(unix.AT_FDCWD, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	if err == nil {
		unix.Close(fd)
	}
	return err != unix.ENOSYS && err != unix.EPERM
}
