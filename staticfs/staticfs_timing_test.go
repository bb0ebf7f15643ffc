package staticfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// browserFields are those of a usual request.
func browserFields() []string {
	return []string{"Accept", "text/css,*/*;q=0.1", "Accept-Encoding", "gzip, deflate, br", "Accept-Language", "en",
		"Referer", "https://example.com/", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", "Sec-Fetch-Mode", "no-cors"}
}

func benchmarkHit(b *testing.B, size int) {
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "file.css"), []byte(strings.Repeat("x", size)), 0o644))
	f, err := New(Config{Root: dir, Cache: NewCache(CacheConfig{Hot: -1})})
	must(b, err)
	b.Cleanup(f.cache.Close)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ex := request("GET", "/file.css", browserFields()...)
		for pb.Next() {
			ex.Response.Reset()
			if err := f.Serve(ex); err != nil {
				b.Error(err)
			}
			ex.Response.Release()
		}
	})
}

func BenchmarkHitInMemory(b *testing.B)   { benchmarkHit(b, 1<<10) }
func BenchmarkHitDescriptor(b *testing.B) { benchmarkHit(b, 100<<10) }
