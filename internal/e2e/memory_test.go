package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const gigabyte = 1 << 30

// memoryLimit is what a gigabyte on its way may add to the tree: far less than the gigabyte,
// more than buffers, page tables and the garbage of a moment.
const memoryLimit = 64 << 20

// TestGigabyteUpload: a body of 1 GiB passes through, whole, with flat memory.
func TestGigabyteUpload(t *testing.T) {
	s := start(t, site{module: "slow:app", server: `client_max_body_size = "2g"`}.String())
	s.get("/pid").wantStatus(t, 200)
	digest := sha256.New()
	body := io.TeeReader(io.LimitReader(&pattern{}, gigabyte), digest)
	watch := s.watchMemory()
	a := s.send("POST", "/upload", struct{ io.Reader }{body}, "Content-Type: application/octet-stream")
	watch.finish()
	a.want(t, 200, fmt.Sprintf("%d %s", gigabyte, hex.EncodeToString(digest.Sum(nil))))
}

// TestGigabyteDownload: a response of 1 GiB passes through, whole, with flat memory.
func TestGigabyteDownload(t *testing.T) {
	s := start(t, site{module: "slow:app"}.String())
	s.get("/pid").wantStatus(t, 200)
	watch := s.watchMemory()
	resp, err := client(t).Get(s.url("/download?" + itoa(gigabyte)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := sameBytes(resp.Body, &pattern{})
	watch.finish()
	if err != nil || got != gigabyte || resp.StatusCode != http.StatusOK {
		t.Errorf("got %d, %d bytes, then %v; want 200 and %d bytes", resp.StatusCode, got, err, gigabyte)
	}
}

// pattern is the endless content that testdata/apps/slow.py sends: 0 to 255, again and again.
type pattern struct{ at byte }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = p.at
		p.at++
	}
	return len(b), nil
}

// sameBytes reads a to its end and compares it with b.
func sameBytes(a, b io.Reader) (int64, error) {
	var n int64
	x, y := make([]byte, 1<<16), make([]byte, 1<<16)
	for {
		m, err := a.Read(x)
		if _, err := io.ReadFull(b, y[:m]); err != nil {
			return n, err
		}
		if !bytes.Equal(x[:m], y[:m]) {
			return n, fmt.Errorf("wrong bytes between %d and %d", n, n+int64(m))
		}
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// memoryWatch samples the memory of a server's tree until finish.
type memoryWatch struct {
	s             *server
	before, peak  int64
	samples       int
	stop, stopped chan struct{}
}

func (s *server) watchMemory() *memoryWatch {
	w := &memoryWatch{s: s, before: s.memory(), stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(w.stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			w.peak = max(w.peak, s.memory())
			w.samples++
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *memoryWatch) finish() {
	w.s.t.Helper()
	close(w.stop)
	<-w.stopped
	w.s.t.Logf("memory of the tree: %d KiB before, %d KiB at most (%d samples)", w.before>>10, w.peak>>10, w.samples)
	if grown := w.peak - w.before; grown > memoryLimit {
		w.s.t.Errorf("the tree grew by %d KiB; want at most %d KiB", grown>>10, memoryLimit>>10)
	}
}

// memory is the PSS of the master and all below it, and the memfds they hold open, in bytes.
func (s *server) memory() int64 {
	tree := append(familyOf(s.pid()), process{pid: s.pid()})
	var total int64
	files := map[uint64]int64{}
	for _, p := range tree {
		total += pss(p.pid)
		addMemfds(files, p.pid)
	}
	for _, size := range files {
		total += size
	}
	return total
}

// pss is the proportional set size of a process (proc_pid_smaps(5)), 0 when it is gone.
func pss(pid int) int64 {
	rollup, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	for line := range strings.Lines(string(rollup)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
			return int64(number(fields[1])) << 10
		}
	}
	return 0
}

// addMemfds adds the memory that the open memfds of a process occupy, each once, by inode.
func addMemfds(files map[uint64]int64, pid int) {
	links, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || !strings.HasPrefix(target, "/memfd:") {
			continue
		}
		var stat syscall.Stat_t
		if syscall.Stat(link, &stat) == nil {
			files[stat.Ino] = stat.Blocks * 512
		}
	}
}
