package staticfs

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
)

// FS serves the files of one location. Its methods are safe for concurrent use.
type FS struct {
	path     string // cleaned root or alias
	prefix   string // of request paths, replaced by an alias; "" for a root
	index    []string
	private  []string
	portable bool // without openat2
	cache    *Cache
	id       uint32 // in the cache

	root     atomic.Pointer[dir]
	reopenMu sync.Mutex // serialises changes of root
}

// Errors that find branches on, or that say more than a system call's.
var (
	errDirectory = errors.New("is a directory")
	errSpecial   = errors.New("is not a regular file")
	errLeadsOut  = errors.New("a symbolic link on the way leads out of the root, or is absolute")
	errShrank    = errors.New("it shrank while it was read")
)

// New checks cfg and returns its FS. It opens nothing: a root that does not exist yet
// is found when it does.
func New(cfg Config) (*FS, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	path, _ := cfg.base()
	f := &FS{path: path, index: cfg.Index, private: cfg.Private, portable: !hasOpenat2(), cache: cfg.Cache}
	if cfg.Alias != "" {
		f.prefix = cfg.Prefix
	}
	if f.cache == nil {
		f.cache = NewCache(CacheConfig{})
	}
	f.id = f.cache.ids.Add(1)
	return f, nil
}

// Serve answers ex with the file that its path names. It is an exchange.Handler.
func (f *FS) Serve(ex *exchange.Exchange) error {
	if m := string(ex.Method); m != "GET" && m != "HEAD" {
		notAllowed(ex)
		return nil
	}
	name, err := f.name(ex)
	if err != nil {
		return err
	}
	e, err := f.find(name, ex.Path[len(ex.Path)-1] == '/')
	if err == errDirectory {
		redirectToSlash(ex)
		return nil
	}
	if err != nil {
		return f.explain(name, err)
	}
	return e.answer(ex)
}

// name returns the part of the path that is looked up, starting with a slash unless the prefix ends in
// one. The guard has decoded the path once and removed dot segments; nothing is decoded again here.
func (f *FS) name(ex *exchange.Exchange) ([]byte, error) {
	path := ex.Path
	n := len(f.prefix)
	if len(path) == 0 || path[0] != '/' || len(path) < n || string(path[:n]) != f.prefix {
		return nil, exchange.Errorf(404, "path %q is outside of location %q", path, f.prefix)
	}
	if encodesSlash(ex.Target) {
		return nil, exchange.Errorf(404, "target %q has an encoded slash or backslash, which no file name has", ex.Target)
	}
	if n > 0 && path[n-1] != '/' && n < len(path) && path[n] != '/' {
		return nil, exchange.Errorf(404, "path %q continues the last segment of location %q", path, f.prefix)
	}
	if hidden(path[max(n-1, 0):], n <= 1) {
		return nil, exchange.Errorf(404, "path %q has a segment that begins with a dot; such files are not served", path)
	}
	return path[n:], nil
}

// encodesSlash reports whether the path of a raw target has %2F or %5C.
func encodesSlash(target []byte) bool {
	for {
		i := bytes.IndexByte(target, '%')
		if i < 0 {
			return false
		}
		if bytes.IndexByte(target[:i], '?') >= 0 {
			return false
		}
		target = target[i+1:]
		if len(target) >= 2 && (target[0] == '2' && target[1]|0x20 == 'f' || target[0] == '5' && target[1]|0x20 == 'c') {
			return true
		}
	}
}

// hidden reports whether a segment begins with a dot, but for .well-known at the top of the whole path.
func hidden(path []byte, top bool) bool {
	const wellKnown = "/.well-known"
	if n := len(wellKnown); top && len(path) >= n && string(path[:n]) == wellKnown && (len(path) == n || path[n] == '/') {
		path = path[n:]
	}
	return bytes.Contains(path, []byte("/."))
}

// find returns the entry of name, with a reference for the caller, from the cache if it can be trusted.
// It fails with errDirectory, a StatusError, or the error of a system call.
func (f *FS) find(name []byte, slash bool) (*entry, error) {
	now := f.cache.now()
	var root *dir
	if len(name) > 0 || slash { // else the alias itself, a file
		var err error
		if root, err = f.held(now); err != nil {
			return nil, err
		}
	}
	old := f.cache.get(f.id, name)
	if old != nil && old.dir == root && f.cache.fresh(old.checked.Load(), now) {
		if !old.inline() {
			old.hits.Add(1)
		}
		return old, nil
	}
	e, err := f.load(root, name, slash, old, now)
	if old != nil && e != old {
		if err != nil {
			f.cache.remove(old)
		}
		old.release()
	}
	if errors.Is(err, fs.ErrClosed) { // the root was swapped meanwhile
		return f.find(name, slash)
	}
	return e, err
}

// load opens what name means now. It returns old when that is still the same, else a new entry, which it caches.
func (f *FS) load(root *dir, name []byte, slash bool, old *entry, now int64) (*entry, error) {
	for attempt := 0; ; attempt++ {
		var st unix.Stat_t
		file, fd, err := f.open(root, string(name), slash, &st)
		if err != nil {
			return nil, err
		}
		limit := f.cache.inlineLimit(old)
		if old != nil && old.dir == root && old.same(&st) && (old.inline() || st.Size > limit) {
			unix.Close(fd)
			old.checked.Store(now)
			old.hits.Store(0)
			return old, nil
		}
		e, err := newEntry(key{f.id, string(name)}, root, fd, &st, typeOf(f.cache.types, file), limit)
		if err == errShrank && attempt < 3 {
			continue
		}
		if err != nil {
			return nil, exchange.Errorf(500, "cannot read file %q: %w", file, err)
		}
		e.checked.Store(now)
		f.cache.put(e)
		return e, nil
	}
}

// open opens the regular file that name means: itself, or its first index if it ends in a slash.
func (f *FS) open(root *dir, name string, slash bool, st *unix.Stat_t) (file string, fd int, err error) {
	if root == nil {
		err = retry(func() error {
			fd, err = unix.Open(f.path, openFlags, 0)
			return err
		})
		fd, err = regular(fd, err, st)
		return f.path, fd, err
	}
	rel := strings.TrimLeft(name, "/")
	if !slash {
		fd, err = root.open(rel, openFlags)
		fd, err = regular(fd, err, st)
		return rel, fd, err
	}
	for _, index := range f.index {
		fd, err = root.open(rel+index, openFlags)
		fd, err = regular(fd, err, st)
		if err == nil || !missing(err) && err != errDirectory {
			return rel + index, fd, err
		}
	}
	return rel, -1, f.noIndex(root, rel)
}

// regular takes the result of an open, looks at it, and closes what is not a regular file.
func regular(fd int, err error, st *unix.Stat_t) (int, error) {
	if err != nil {
		return -1, err
	}
	err = retry(func() error { return unix.Fstat(fd, st) })
	if err == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			return fd, nil
		case unix.S_IFDIR:
			err = errDirectory
		default:
			err = errSpecial
		}
	}
	unix.Close(fd)
	return -1, err
}

// noIndex tells a directory without index, 403, from one that does not exist.
func (f *FS) noIndex(root *dir, rel string) error {
	fd, err := root.open(rel, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	unix.Close(fd)
	return exchange.Errorf(403, "directory %q in %q has no index %q", rel, f.path, f.index)
}

// missing reports whether err says that there is no such file.
func missing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
}

// held returns the root as it was within the last second.
func (f *FS) held(now int64) (*dir, error) {
	if d := f.root.Load(); d != nil && f.cache.fresh(d.checked.Load(), now) {
		return d, nil
	}
	f.reopenMu.Lock()
	defer f.reopenMu.Unlock()
	d := f.root.Load()
	if d != nil {
		if f.cache.fresh(d.checked.Load(), now) {
			return d, nil
		}
		if id, err := identify(f.path); err == nil && id == d.id {
			d.checked.Store(now)
			return d, nil
		}
	}
	return f.reopen(d, now)
}

// reopen opens what the root's path leads to now, in place of old. The caller holds reopenMu.
func (f *FS) reopen(old *dir, now int64) (*dir, error) {
	d, err := openDir(f.path, f.portable)
	if err != nil {
		return nil, exchange.Errorf(404, "cannot open root %q: %w", f.path, err)
	}
	if target := d.resolved(); target != "" {
		if err := checkBase(target, f.private); err != nil {
			d.close()
			return nil, exchange.Errorf(404, "root %q leads elsewhere: %w", f.path, err)
		}
	}
	d.checked.Store(now)
	f.root.Store(d)
	if old != nil {
		old.close()
	}
	return d, nil
}

// explain turns the error of an open into an answer. The client learns no more than "not found" of what it may not have.
func (f *FS) explain(name []byte, err error) error {
	if _, ok := errors.AsType[*exchange.StatusError](err); ok {
		return err
	}
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM:
		return exchange.Errorf(503, "cannot open %q in %q: %w", name, f.path, err)
	case unix.EIO, unix.ESTALE, unix.EAGAIN:
		return exchange.Errorf(500, "cannot open %q in %q: %w", name, f.path, err)
	}
	if leadsOut(err) {
		err = errLeadsOut
	}
	return exchange.Errorf(404, "cannot open %q in %q: %w", name, f.path, err)
}

// leadsOut reports whether err says that a link left the root: what openat2 says, or os.Root, which has no name for it.
func leadsOut(err error) bool {
	return err == unix.EXDEV || err.Error() == "path escapes from parent"
}
