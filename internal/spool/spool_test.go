package spool

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"hognose/internal/exchange"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 31 >> 3)
	}
	return b
}

func TestReadBody(t *testing.T) {
	lim := Limits{Inline: 1 << 10, Memory: 8 << 10, Dir: t.TempDir()}
	f := func(size int, length int64, inFile bool) {
		t.Helper()
		want := pattern(size)
		b, err := ReadBody(iotest.HalfReader(bytes.NewReader(want)), length, lim)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if (b.File() != nil) != inFile {
			t.Errorf("body of %d bytes, announced %d: file %v; want %v", size, length, b.File() != nil, inFile)
		}
		got, err := io.ReadAll(b.Reader())
		if err != nil || !bytes.Equal(got, want) || b.Len() != int64(size) {
			t.Errorf("body of %d bytes, announced %d, came back with %d bytes (Len %d), %v", size, length, len(got), b.Len(), err)
		}
	}
	f(0, 0, false)
	f(1000, 1000, false)
	f(1<<10, 1<<10, false)
	f(1<<10+1, 1<<10+1, false)
	f(8<<10, 8<<10, false)
	f(8<<10+1, 8<<10+1, true)
	f(100<<10, 100<<10, true)
	f(0, -1, false)
	f(1<<10, -1, false)
	f(1<<10+1, -1, false)
	f(5<<10, -1, false)
	f(8<<10+1, -1, true)
	f(100<<10, -1, true)
	if n := memoryUsed.Load(); n != 0 {
		t.Errorf("%d bytes of memory are still accounted for", n)
	}
}

// TestDescriptor: what is passed on arrives whole, by a pipe or, where none of that size is to be had, by a file.
func TestDescriptor(t *testing.T) {
	for _, size := range []int{1, 64 << 10, 1 << 20, 64 << 20} {
		want := pattern(size)
		f, pipe, err := Descriptor(want)
		if err != nil {
			t.Fatal(err)
		}
		if size == 64<<20 && pipe {
			t.Errorf("a pipe holds %d bytes", size)
		}
		if !pipe {
			f.Seek(0, io.SeekStart)
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came out as %d, pipe %v, %v", size, len(got), pipe, err)
		}
		f.Close()
	}
}

func TestReadBodyErrors(t *testing.T) {
	boom := errors.New("boom")
	for _, length := range []int64{-1, 100, 100 << 10} {
		if _, err := ReadBody(iotest.ErrReader(boom), length, Limits{Inline: 1 << 10, Memory: 8 << 10}); !errors.Is(err, boom) {
			t.Errorf("announced %d: got %v; want the reader's error", length, err)
		}
	}
	_, err := ReadBody(bytes.NewReader(pattern(4<<10)), 4<<10, Limits{Dir: "/nonexistent"})
	if exchange.StatusOf(err) != 500 {
		t.Errorf("got %v; want a 500 that names the directory", err)
	}
}

// TestQueue runs a random writer and reader over every kind of limit, with the file breaking half-way.
func TestQueue(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var q Queue
		q.Reset(rnd.IntN(3000), int64(rnd.IntN(3)*4000), t.TempDir())
		want := pattern(20000)
		var got []byte
		for at := 0; at < len(want) || q.Len() > 0; {
			if rnd.IntN(100) == 0 && q.broken == nil {
				q.broken = errors.New("disk full")
			}
			if at < len(want) && rnd.IntN(2) == 0 {
				n := min(rnd.IntN(1500), len(want)-at)
				q.Write(want[at : at+n])
				at += n
				continue
			}
			if rnd.IntN(20) == 0 {
				q.Spill(rnd.IntN(2000), 4000, t.TempDir())
			}
			p, err := q.Next()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p...)
		}
		q.Close()
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the bytes came out in another order", seed)
		}
	}
}

func TestQueueFull(t *testing.T) {
	var q Queue
	q.Reset(100, 1000, t.TempDir())
	q.Write(make([]byte, 99))
	if q.Full() {
		t.Fatal("full with memory to spare")
	}
	for range 11 {
		q.Write(make([]byte, 100))
	}
	if !q.Full() {
		t.Fatalf("not full with %d bytes", q.Len())
	}
	for q.Len() > 0 {
		if _, err := q.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if q.Full() {
		t.Fatal("full when empty")
	}
	q.Close()
}
