package staticfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSymlinks(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s := newSite(t, map[string]string{"www/real/f": "in", "secret": "out"})
		link := func(target, name string) { must(t, os.Symlink(target, filepath.Join(s.dir, "www", name))) }
		link("real/f", "file")
		link("real", "dir")
		link("../secret", "out")
		link("real/../../secret", "out2")
		link(filepath.Join(s.dir, "secret"), "absolute")
		link("..", "up")
		link("loop", "loop")
		link("/proc/self/root/etc/passwd", "magic")
		s.serve(Config{Root: filepath.Join(s.dir, "www")})
		s.fs.portable = portable
		f := func(name string, want int) {
			t.Helper()
			if r := s.get(name); r.status != want {
				t.Errorf("portable %v: GET %s = %d; want %d", portable, name, r.status, want)
			}
		}
		f("/file", 200)
		f("/dir/f", 200)
		f("/dir", 301)
		f("/dir/", 403)
		f("/real/f/", 404)
		f("/out", 404)
		f("/out2", 404)
		f("/absolute", 404)
		f("/up/secret", 404)
		f("/up/", 404)
		f("/up", 404)
		f("/loop", 404)
		f("/magic", 404)
		if err := s.fs.Serve(request("GET", "/out")); err == nil || !contains(err, "leads out of the root") {
			t.Errorf("portable %v: error is %v; want it to speak of the link", portable, err)
		}
	}
}

// TestLinkTurnsOutward: a link that is redirected out of the root is not followed from the cache for longer than a second.
func TestLinkTurnsOutward(t *testing.T) {
	s := newSite(t, map[string]string{"www/in": "in", "secret": "out"})
	s.serve(Config{Root: filepath.Join(s.dir, "www")})
	link := filepath.Join(s.dir, "www", "link")
	must(t, os.Symlink("in", link))
	if r := s.get("/link"); r.body != "in" {
		t.Fatalf("GET /link = %d %q", r.status, r.body)
	}
	must(t, os.Symlink("../secret", link+".new"))
	must(t, os.Rename(link+".new", link))
	s.pass(time.Second)
	if r := s.get("/link"); r.status != 404 {
		t.Errorf("GET /link = %d %q; want 404", r.status, r.body)
	}
}

func TestRootSwappedDuringOpen(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s := newSite(t, map[string]string{"f": "x"})
		s.fs.portable = portable
		s.get("/f")
		s.fs.cache.cull(func(*entry) bool { return true })
		s.fs.root.Load().close() // as a swap by another request would
		done := make(chan result)
		go func() { done <- s.get("/f") }()
		s.fs.root.Store(nil)
		if r := <-done; r.status != 200 {
			t.Errorf("portable %v: GET = %d %v; want 200 from the new root", portable, r.status, r.err)
		}
	}
}
