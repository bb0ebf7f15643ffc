package wire

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Layout and states of the scoreboard; see struct hg_slot.
const (
	BoardMagic = 0x31534748
	SlotSize   = 128

	SlotEmpty   = 0
	SlotIdle    = 1
	SlotBusy    = 2
	SlotClosing = 3
)

// Slot is the shared memory of one worker thread. Read it through Board.Slot.
type slot struct {
	pid, state                               uint32
	id, start, requests, tx, busy, queueWait uint64
	front, tid                               uint32
	_                                        [SlotSize - 64]byte
}

// Slot is a copy of one worker thread's slot.
type Slot struct {
	Worker, Thread int
	PID, State     uint32
	ID             uint64 // request being served, or the last one
	Front          uint32
	TID            uint32
	Start          uint64 // CLOCK_MONOTONIC nanoseconds
	Requests       uint64
	TX             uint64 // bytes
	Busy           uint64 // nanoseconds
	QueueWait      uint64 // nanoseconds
}

// Board is a mapped scoreboard. Any number of goroutines may read it; only the worker threads write it.
type Board struct {
	mem                []byte
	processes, threads int
}

type boardHeader struct{ magic, processes, threads, slotSize uint32 }

// NewBoard creates the memory of a scoreboard for so many workers of so many threads.
// The caller closes the file; a mapping outlives it.
func NewBoard(name string, processes, threads int) (*os.File, error) {
	fd, err := unix.MemfdCreate("hognose scoreboard "+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create the scoreboard of app %q: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), "scoreboard")
	size := SlotSize * (1 + processes*threads)
	if err := f.Truncate(int64(size)); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot size the scoreboard of app %q: %w", name, err)
	}
	mem, err := unix.Mmap(fd, 0, SlotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot map the scoreboard of app %q: %w", name, err)
	}
	*(*boardHeader)(unsafe.Pointer(&mem[0])) = boardHeader{BoardMagic, uint32(processes), uint32(threads), SlotSize}
	return f, unix.Munmap(mem)
}

// OpenBoard maps the scoreboard in f for reading. f may be closed afterwards.
func OpenBoard(f *os.File) (*Board, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot look at the scoreboard: %w", err)
	}
	if st.Size() < SlotSize {
		return nil, fmt.Errorf("scoreboard has %d bytes; want %d or more", st.Size(), SlotSize)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot map the scoreboard: %w", err)
	}
	h := *(*boardHeader)(unsafe.Pointer(&mem[0]))
	b := &Board{mem: mem, processes: int(h.processes), threads: int(h.threads)}
	if h.magic != BoardMagic || h.slotSize != SlotSize || uint64(len(mem)) < SlotSize*(1+uint64(h.processes)*uint64(h.threads)) {
		unix.Munmap(mem)
		return nil, fmt.Errorf("scoreboard has a wrong header %+v", h)
	}
	return b, nil
}

// Processes returns the number of workers that the board has room for.
func (b *Board) Processes() int { return b.processes }

// Threads returns the number of threads per worker.
func (b *Board) Threads() int { return b.threads }

// Slot returns a copy of one slot. Its fields are read one by one while the worker runs on: ID belongs to
// State as long as the request lasts.
func (b *Board) Slot(worker, thread int) Slot {
	s := (*slot)(unsafe.Pointer(&b.mem[SlotSize*(1+worker*b.threads+thread)]))
	state := atomic.LoadUint32(&s.state)
	return Slot{
		Worker: worker, Thread: thread, State: state,
		PID: atomic.LoadUint32(&s.pid), ID: atomic.LoadUint64(&s.id), Front: atomic.LoadUint32(&s.front), TID: atomic.LoadUint32(&s.tid),
		Start: atomic.LoadUint64(&s.start), Requests: atomic.LoadUint64(&s.requests), TX: atomic.LoadUint64(&s.tx),
		Busy: atomic.LoadUint64(&s.busy), QueueWait: atomic.LoadUint64(&s.queueWait),
	}
}

// Close unmaps the board, which must not be read any more.
func (b *Board) Close() error { return unix.Munmap(b.mem) }
