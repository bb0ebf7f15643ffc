package worker

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
	"hognose/pyhost/python"
)

// BenchmarkWorker measures what a request costs a worker in CPU time, kernel included: cpu-us/req. The driver
// keeps the queue fed, as a front under load does. A browser's request has more and longer variables.
func BenchmarkWorker(b *testing.B) {
	browser := get("/", "HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5",
		"HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd", "HTTP_CONNECTION", "keep-alive", "HTTP_UPGRADE_INSECURE_REQUESTS", "1",
		"HTTP_SEC_FETCH_DEST", "document", "HTTP_SEC_FETCH_MODE", "navigate", "HTTP_SEC_FETCH_SITE", "none", "HTTP_SEC_FETCH_USER", "?1",
		"HTTP_PRIORITY", "u=0, i", "HTTP_COOKIE", "sessionid=0123456789abcdef0123456789abcdef; csrftoken=0123456789abcdef",
		"DOCUMENT_ROOT", "/srv/www", "REQUEST_ID", "0123456789abcdef")
	b.Run("hello", func(b *testing.B) { drive(b, get("/"), 1) })
	b.Run("browser", func(b *testing.B) { drive(b, browser, 1) })
	b.Run("threads", func(b *testing.B) { drive(b, browser, 4) })
}

func drive(b *testing.B, r request, threads int) {
	tr := newTree(b, options{settings: python.Settings{Module: "hello", Chdir: "testdata"}, threads: threads})
	p := tr.fork(0)
	near, far, err := wire.Socketpair(unix.SOCK_STREAM, "stream")
	check(b, err)
	p.send(wire.Control{Type: wire.ControlFront, Arg: 1}, far)
	far.Close()
	defer near.Close()

	const ahead = 48
	credit := make(chan struct{}, ahead)
	for range ahead {
		credit <- struct{}{}
	}
	done := make(chan struct{})
	total := b.N + 1000
	go func() {
		defer close(done)
		countFrames(int(near.Fd()), total, credit)
	}()
	msg := r.encode(b, 1)
	var start int64
	for i := range total {
		if i == 1000 {
			b.ResetTimer()
			start = cpuTime(b, p.pid)
		}
		<-credit
		binary.LittleEndian.PutUint64(msg[8:], uint64(i+1))
		check(b, unix.Sendmsg(int(tr.queue.Fd()), msg, nil, nil, 0))
	}
	<-done
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b, p.pid)-start)/1000/float64(b.N), "cpu-us/req")
}

// countFrames reads whole frames until n have come, and gives a credit for each.
func countFrames(fd, n int, credit chan<- struct{}) {
	buf := make([]byte, 1<<18)
	have := 0
	for n > 0 {
		got, err := unix.Read(fd, buf[have:])
		if err != nil || got == 0 {
			return
		}
		have += got
		used := 0
		for have-used >= wire.FrameLen {
			size := wire.FrameLen + int(binary.LittleEndian.Uint32(buf[used:]))
			if have-used < size {
				break
			}
			used += size
			n--
			credit <- struct{}{}
		}
		have = copy(buf, buf[used:have])
	}
}

// cpuTime returns the CPU time that process pid has used, in nanoseconds.
func cpuTime(b *testing.B, pid int) int64 {
	b.Helper()
	var ts unix.Timespec
	check(b, unix.ClockGettime(int32(^pid<<3|2), &ts)) // the clock that clock_getcpuclockid(3) returns
	return ts.Nano()
}
