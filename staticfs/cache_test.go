package staticfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// large is the size of a file that is sent from its descriptor.
const large = 20 << 10

func content(c string, n int) string { return strings.Repeat(c, n) }

func TestChangeIsSeenWithinASecond(t *testing.T) {
	for _, size := range []int{10, large} {
		s := newSite(t, map[string]string{"f": content("a", size)})
		path := filepath.Join(s.dir, "f")
		f := func(what, want string, status int) {
			t.Helper()
			s.pass(time.Second)
			if r := s.get("/f"); r.status != status || r.body != want {
				t.Errorf("size %d, %s: %d %.10q; want %d %.10q", size, what, r.status, r.body, status, want)
			}
		}
		f("first", content("a", size), 200)
		s.write("f", content("b", size)) // the same size and modification time, later change time
		f("written in place", content("b", size), 200)
		s.write("f.new", content("c", size))
		must(t, os.Rename(path+".new", path))
		f("replaced", content("c", size), 200)
		s.write("f", content("d", size+1))
		f("grown", content("d", size+1), 200)
		must(t, os.Truncate(path, 3))
		f("truncated", "ddd", 200)
		must(t, os.Remove(path))
		f("removed", "", 404)
		must(t, os.Mkdir(path, 0o755))
		f("a directory", "301 Moved Permanently\n", 301)
		must(t, os.Remove(path))
		s.write("f", "e")
		f("back", "e", 200)
	}
}

func TestNoLookWithinASecond(t *testing.T) {
	s := newSite(t, map[string]string{"small": "a", "large": content("a", large)})
	for _, name := range []string{"small", "large"} {
		s.get("/" + name)
		must(t, os.Remove(filepath.Join(s.dir, name)))
		s.pass(time.Second - 1)
		if r := s.get("/" + name); r.status != 200 || r.body[0] != 'a' {
			t.Errorf("%s file after 999 ms = %d; want 200 from the cache", name, r.status)
		}
		s.pass(1)
		if r := s.get("/" + name); r.status != 404 {
			t.Errorf("removed %s file after 1 s = %d; want 404", name, r.status)
		}
	}
}

// TestIndexAppears: a path that ends in a slash follows the order of the index names, also when a better one comes later.
func TestIndexAppears(t *testing.T) {
	s := newSite(t, map[string]string{"d/": ""}, func(c *Config) { c.Index = []string{"first.html", "second.html"} })
	f := func(status int, body string) {
		t.Helper()
		s.pass(time.Second)
		if r := s.get("/d/"); r.status != status || r.body != body {
			t.Errorf("GET /d/ = %d %q; want %d %q", r.status, r.body, status, body)
		}
	}
	f(403, "")
	s.write("d/second.html", "second")
	f(200, "second")
	s.write("d/first.html", "first")
	f(200, "first")
	must(t, os.Remove(filepath.Join(s.dir, "d/first.html")))
	f(200, "second")
}

// TestUnsettledFile: two writes within one tick of the file system's clock leave equal times, so a file that was
// read just after it was written is read again.
func TestUnsettledFile(t *testing.T) {
	s := newSite(t, map[string]string{"f": "a"})
	s.get("/f")
	e := s.fs.cache.get(s.fs.id, []byte("/f"))
	if e.settled {
		t.Fatal("a file that was just written counts as settled")
	}
	e.body[0] = 'x' // as if the file had been read between two writes
	s.pass(time.Second)
	if r := s.get("/f"); r.body != "a" {
		t.Errorf("body is %q; want that of the file", r.body)
	}
}

func TestRootIsSwapped(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s := newSite(t, map[string]string{"one/f": "1", "two/f": "2", "one/only": "1"})
		link := filepath.Join(s.dir, "current")
		point := func(to string) {
			must(t, os.Symlink(to, link+".new"))
			must(t, os.Rename(link+".new", link))
		}
		s.serve(Config{Root: link})
		s.fs.portable = portable
		f := func(name string, status int, body string) {
			t.Helper()
			if r := s.get(name); r.status != status || r.body != body {
				t.Errorf("portable %v: %s = %d %q; want %d %q", portable, name, r.status, r.body, status, body)
			}
		}
		f("/f", 404, "") // no root yet
		point("one")
		f("/f", 200, "1")
		f("/only", 200, "1")
		point("two")
		f("/f", 200, "1")
		s.pass(time.Second)
		f("/f", 200, "2")
		f("/only", 404, "")
		point("/proc")
		s.pass(time.Second)
		if r := s.get("/version"); r.status != 404 {
			t.Errorf("portable %v: a root that leads to /proc = %d; want 404", portable, r.status)
		}
		point("one")
		f("/f", 200, "1")
		must(t, os.Remove(link))
		s.pass(time.Second)
		f("/f", 404, "")
	}
}

func TestLimits(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("s%d", i)] = content("s", 100)
		files[fmt.Sprintf("l%d", i)] = content("l", large)
	}
	cache := NewCache(CacheConfig{Entries: 50, Memory: 1000})
	s := newSite(t, files, func(c *Config) { c.Cache = cache })
	for range 3 {
		for name, want := range files {
			if r := s.get("/" + name); r.body != want {
				t.Fatalf("%s = %d %.10q", name, r.status, r.body)
			}
			if n, m := cache.entries.Load(), cache.memory.Load(); n > 50 || m > 1000 {
				t.Fatalf("cache holds %d files and %d bytes; want at most 50 and 1000", n, m)
			}
		}
	}
	if n := s.openFiles(); n > 51 {
		t.Errorf("%d descriptors are open; want at most 50 and the root", n)
	}
	cache.Close()
	if n := s.openFiles(); n > 1 {
		t.Errorf("%d descriptors are open after Close; want only the root", n)
	}
	if r := s.get("/l0"); r.status != 200 || cache.entries.Load() != 0 {
		t.Errorf("with a closed cache: %d, %d entries; want 200 and none", r.status, cache.entries.Load())
	}
	if n := s.openFiles(); n > 1 {
		t.Errorf("%d descriptors are open after a request with a closed cache; want only the root", n)
	}
}

// openFiles counts the descriptors of files in the site, its root included.
func (s *site) openFiles() int {
	s.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	must(s, err)
	n := 0
	for _, fd := range fds {
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(name, s.dir) {
			n++
		}
	}
	return n
}

// TestHotFileStays: a file that is used is not evicted by a scan over many others.
func TestHotFileStays(t *testing.T) {
	files := map[string]string{"hot": "h"}
	for i := range 400 {
		files[fmt.Sprint(i)] = "x"
	}
	s := newSite(t, files, func(c *Config) { c.Cache = NewCache(CacheConfig{Entries: 100}) })
	s.get("/hot")
	hot := s.fs.cache.get(s.fs.id, []byte("/hot"))
	lost := 0
	for i := range 400 {
		s.get("/" + fmt.Sprint(i))
		s.get("/hot")
		if e := s.fs.cache.get(s.fs.id, []byte("/hot")); e != hot {
			hot = e
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("the hot file was evicted %d times", lost)
	}
}

// TestHotFile: a file that is asked for often goes into memory when it is looked at next, if there is room.
func TestHotFile(t *testing.T) {
	f := func(memory int64, hits int, inMemory bool) {
		t.Helper()
		s := newSite(t, map[string]string{"f": content("x", 100<<10)}, func(c *Config) { c.Cache = NewCache(CacheConfig{Memory: memory}) })
		for range hits + 1 {
			s.get("/f")
		}
		for range 2 {
			s.pass(time.Second)
			if r := s.get("/f"); r.body != content("x", 100<<10) {
				t.Fatalf("GET = %d, %d bytes", r.status, len(r.body))
			}
		}
		e := s.fs.cache.get(s.fs.id, []byte("/f"))
		if e.inline() != inMemory {
			t.Errorf("after %d hits, with room for %d bytes: in memory is %v; want %v", hits, memory, e.inline(), inMemory)
		}
		e.release()
		if !inMemory {
			return
		}
		s.write("f", content("y", 90<<10))
		s.pass(time.Second)
		if r := s.get("/f"); r.body != content("y", 90<<10) {
			t.Errorf("after a change: %d, %.10q", r.status, r.body)
		}
	}
	f(1<<20, hotHits, true)
	f(1<<20, hotHits-1, false)
	f(64<<10, hotHits, false)
}

// TestUnusedIsClosed: a deleted file that nobody asks for does not keep its disk space.
func TestUnusedIsClosed(t *testing.T) {
	cache := NewCache(CacheConfig{Inactive: time.Millisecond})
	s := newSite(t, map[string]string{"f": content("x", large)}, func(c *Config) { c.Cache = cache })
	f := func() {
		t.Helper()
		s.get("/f")
		deadline := time.Now().Add(10 * time.Second)
		for cache.entries.Load() > 0 || cache.sweeper.running.Load() {
			if time.Now().After(deadline) {
				t.Fatalf("%d entries, timer runs: %v", cache.entries.Load(), cache.sweeper.running.Load())
			}
			time.Sleep(time.Millisecond)
		}
	}
	f()
	f() // the timer starts again
}

func TestSharedCacheKeepsLocationsApart(t *testing.T) {
	a := newSite(t, map[string]string{"f": "a"})
	b := newSite(t, map[string]string{"f": "b"}, func(c *Config) { c.Cache = a.fs.cache })
	if x, y := a.get("/f").body, b.get("/f").body; x != "a" || y != "b" {
		t.Errorf("two roots answer %q and %q; want a and b", x, y)
	}
}

// TestConcurrent serves files that change, vanish and are truncated, with a cache that is too small, and checks that
// what is sent was a whole version of the file, or was cut short.
func TestConcurrent(t *testing.T) {
	cache := NewCache(CacheConfig{Entries: 4, Memory: 30 << 10, Valid: time.Microsecond, Inactive: time.Millisecond})
	s := newSite(t, map[string]string{"d/": ""}, func(c *Config) { c.Cache = cache })
	cache.clock = func() time.Duration { return time.Since(cache.epoch) }
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			s.churn(i)
		}
	})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := range 500 {
				s.readAny(i)
			}
		})
	}
	readers.Wait()
	close(stop)
	wg.Wait()
	cache.Close()
	if n := s.openFiles(); n > 1 {
		t.Errorf("%d descriptors are left; want only the root", n)
	}
}

// churn changes one of the files in one of the ways that files change.
func (s *site) churn(i int) {
	name := filepath.Join(s.dir, fmt.Sprintf("f%d", i%8))
	body := []byte(content(string(rune('a'+i%26)), []int{100, large}[i%2]))
	switch rand.IntN(4) {
	case 0:
		os.Remove(name)
	case 1:
		os.Truncate(name, 50)
	default:
		os.WriteFile(name+".new", body, 0o644)
		os.Rename(name+".new", name)
	}
}

// readAny asks for one of the files, whole or in part; every byte of a body must be of the same version.
func (s *site) readAny(i int) {
	ex := request("GET", fmt.Sprintf("/f%d", i%8))
	if i%3 == 0 {
		ex = request("GET", fmt.Sprintf("/f%d", i%8), "Range", "bytes=10-19")
	}
	if err := s.fs.Serve(ex); err != nil {
		return
	}
	r := &ex.Response
	body, _ := readBody(r)
	for _, c := range body {
		if r.Status != 416 && c != body[0] {
			s.Errorf("a body mixes %q and %q", body[0], c)
			break
		}
	}
	if err := r.Release(); err != nil {
		s.Errorf("Release: %v", err)
	}
}
