package staticfs

import (
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
)

// settleTime is how long a file must have been left alone, when it is read, to be told from
// a later version by its times: clocks of file systems tick in milliseconds to
// seconds, so two changes within a tick look like one.
const settleTime = 3 * time.Second

// key names an entry: a location and the name that was asked of it.
type key struct {
	fs   uint32
	name string
}

// stamp is what tells that a file is another one or has changed.
type stamp struct {
	fileID
	size         int64
	mtime, ctime unix.Timespec
}

func stampOf(st *unix.Stat_t) stamp {
	return stamp{fileID{st.Dev, st.Ino}, st.Size, st.Mtim, st.Ctim}
}

// entry is one file of the cache, immutable but for its counters: a small file with its content, or an open
// descriptor. The cache and every response that is being sent from the descriptor hold
// a reference; the last one closes it. It is the FileReader and the Owner of those responses.
type entry struct {
	key   key
	dir   *dir // the root it was found in, nil for an alias that is the file itself
	stamp stamp
	// settled tells that an equal stamp means equal content; see settleTime.
	settled bool
	// fields are Last-Modified, ETag, Content-Type and Accept-Ranges.
	fields [4]exchange.Field
	body   []byte // content of a small file, else nil
	fd     int    // -1 for a small file

	refs    atomic.Int32  // of a descriptor
	hits    atomic.Uint32 // of a descriptor, since the last look
	checked atomic.Int64  // when the stamp was last compared, on the cache's clock
	used    atomic.Bool   // since the clock hand last passed; see shard
	slot    int           // in the shard's ring; guarded by the shard
}

// notModifiedFields is how many of fields go with a 304 (RFC 9110 section 15.4.5).
const notModifiedFields = 2

// newEntry describes an open file, and reads it if it is not larger than inline. It takes the descriptor: kept, or closed when
// the content is in memory or on error.
func newEntry(k key, d *dir, fd int, st *unix.Stat_t, contentType string, inline int64) (*entry, error) {
	e := &entry{key: k, dir: d, stamp: stampOf(st), fd: fd}
	e.settled = time.Since(time.Unix(st.Ctim.Unix())) > settleTime
	e.refs.Store(1)
	if st.Size <= inline {
		defer unix.Close(fd)
		e.fd = -1
		e.body = make([]byte, st.Size)
		if err := readFull(fd, e.body); err != nil {
			return nil, err
		}
	}
	e.fields = [4]exchange.Field{
		{Name: []byte("Last-Modified"), Value: e.modified().UTC().AppendFormat(nil, http.TimeFormat)},
		{Name: []byte("ETag"), Value: etag(st)},
		{Name: []byte("Content-Type"), Value: []byte(contentType)},
		{Name: []byte("Accept-Ranges"), Value: []byte("bytes")},
	}
	return e, nil
}

// etag is nginx's strong validator: seconds of the modification time and size, in hexadecimal.
func etag(st *unix.Stat_t) []byte {
	b := append(make([]byte, 0, 32), '"')
	b = strconv.AppendInt(b, int64(st.Mtim.Sec), 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, st.Size, 16)
	return append(b, '"')
}

// modified returns the modification time, whole seconds.
func (e *entry) modified() time.Time { return time.Unix(int64(e.stamp.mtime.Sec), 0) }

func (e *entry) etag() []byte { return e.fields[1].Value }

// same reports whether the file is still the one that was read.
func (e *entry) same(st *unix.Stat_t) bool {
	return e.stamp == stampOf(st) && (e.settled || e.fd >= 0)
}

// inline reports whether the content is in memory, where no reference is needed: the garbage collector counts.
func (e *entry) inline() bool { return e.fd < 0 }

// release gives a reference back.
func (e *entry) release() error {
	if e.inline() || e.refs.Add(-1) != 0 {
		return nil
	}
	return unix.Close(e.fd)
}

// Close ends a response: it is the Owner's way to give the reference back.
func (e *entry) Close() error { return e.release() }

// Fd returns the descriptor, valid until the response's Owner is closed.
func (e *entry) Fd() uintptr { return uintptr(e.fd) }

// ReadAt reads with pread(2). It returns io.EOF before the size that the response announced when the file was truncated.
func (e *entry) ReadAt(p []byte, off int64) (int, error) {
	if e.inline() {
		if off >= int64(len(e.body)) {
			return 0, io.EOF
		}
		n := copy(p, e.body[off:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	return preadFull(e.fd, p, off)
}

// readFull fills p from the start of a file that was as large as p a moment ago.
func readFull(fd int, p []byte) error {
	_, err := preadFull(fd, p, 0)
	if err == io.EOF {
		return errShrank
	}
	return err
}

func preadFull(fd int, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pread(fd, p[n:], off+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}
