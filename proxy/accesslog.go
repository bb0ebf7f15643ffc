package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

const (
	logBatch    = 64 << 10         // lines are written when they are this long together,
	logInterval = time.Second      // or this old (nginx: access_log buffer= flush=)
	logBacklog  = 1 << 20          // bytes that may wait for a slow disk; lines beyond it are lost
	logClose    = 5 * time.Second  // the longest wait for a slow disk at the end
	logSilence  = 10 * time.Second // between two reports of lost lines
)

// AccessLog writes one line per request. Requests never wait for the disk: lines are collected in memory, written by a goroutine, and dropped,
// counted and reported when the disk cannot keep up. All methods may be called concurrently.
//
// It starts one goroutine, which Close stops.
type AccessLog struct {
	problem func(error)
	on      atomic.Bool
	json    atomic.Bool
	stamp   atomic.Pointer[timestamp]
	lines   sync.Pool // of *[]byte

	mu    sync.Mutex // guards what follows
	buf   []byte     // lines to be written
	spare []byte     // memory for the next buf
	lost  int        // lines that did not fit
	swaps []fileSwap // in the order of their places

	wake    chan struct{}
	closing chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// fileSwap says that from a place in AccessLog.buf on, lines go to another file; nil is none.
type fileSwap struct {
	at   int
	file *os.File
}

// NewAccessLog returns a log that is off until Reopen gives it a file. problem gets, from the log's
// goroutine, the errors of writing; it is called every few seconds at most.
func NewAccessLog(problem func(error)) *AccessLog {
	l := &AccessLog{
		problem: problem, wake: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
		lines: sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }},
	}
	go l.run()
	return l
}

// SetFormat sets the format of lines from now on: config.FormatCombined or config.FormatJSON.
func (l *AccessLog) SetFormat(format string) { l.json.Store(format == config.FormatJSON) }

// Reopen makes the lines from now on go to f, and closes the file before when it has all earlier ones. It takes over f; nil turns the log off.
func (l *AccessLog) Reopen(f *os.File) {
	l.mu.Lock()
	l.swaps = append(l.swaps, fileSwap{len(l.buf), f})
	l.mu.Unlock()
	l.on.Store(f != nil)
	l.notify()
}

// Log adds the line of an exchange that is over. line is its request line as it came, sent the number of body bytes that went to the client.
func (l *AccessLog) Log(ex *exchange.Exchange, line []byte, sent int64) {
	if !l.on.Load() {
		return
	}
	e := entry{ex: ex, line: line, sent: sent, now: time.Now()}
	mem := l.lines.Get().(*[]byte)
	if l.json.Load() {
		*mem = e.appendJSON((*mem)[:0])
	} else {
		*mem = e.appendCombined((*mem)[:0], l.timeLocal(e.now))
	}
	if l.add(*mem) {
		l.notify()
	}
	if cap(*mem) <= logBatch {
		l.lines.Put(mem)
	}
}

// add keeps a line, or counts it as lost, and tells whether there is a batch now.
func (l *AccessLog) add(line []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf)+len(line) > logBacklog {
		l.lost++
		return false
	}
	before := len(l.buf)
	l.buf = append(l.buf, line...)
	return before < logBatch && len(l.buf) >= logBatch
}

// notify wakes the goroutine.
func (l *AccessLog) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close writes what is left and closes the file. A disk that is stuck is not waited for longer than a few seconds.
func (l *AccessLog) Close() {
	l.on.Store(false)
	l.once.Do(func() { close(l.closing) })
	select {
	case <-l.closed:
	case <-time.After(logClose):
		l.problem(errors.New("access log: the last lines could not be written in time"))
	}
}

// run writes batches until Close.
func (l *AccessLog) run() {
	defer close(l.closed)
	w := logWriter{l: l}
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.closing:
			w.flush()
			w.report(true)
			w.set(nil)
			return
		case <-tick.C:
		case <-l.wake:
		}
		w.flush()
		w.report(false)
	}
}

// logWriter is what the goroutine of an AccessLog owns.
type logWriter struct {
	l        *AccessLog
	file     *os.File
	lost     int   // lines, since the last report
	err      error // why, if it was an error
	reported time.Time
}

// flush writes what has been collected, each line to the file that was meant for it.
func (w *logWriter) flush() {
	l := w.l
	l.mu.Lock()
	batch, swaps := l.buf, l.swaps
	l.buf, l.spare, l.swaps = l.spare[:0], nil, nil
	w.lost += l.lost
	l.lost = 0
	l.mu.Unlock()

	rest := batch
	for _, s := range swaps {
		at := s.at - (len(batch) - len(rest))
		w.write(rest[:at])
		rest = rest[at:]
		w.set(s.file)
	}
	w.write(rest)

	if cap(batch) <= 4*logBatch {
		l.mu.Lock()
		l.spare = batch[:0]
		l.mu.Unlock()
	}
}

// write writes lines, or counts those that it cannot write.
func (w *logWriter) write(lines []byte) {
	if len(lines) == 0 || w.file == nil {
		return
	}
	if n, err := w.file.Write(lines); err != nil {
		w.lost += bytes.Count(lines[n:], []byte{'\n'})
		w.err = err
	}
}

// set closes the file and takes another one.
func (w *logWriter) set(f *os.File) {
	if w.file != nil {
		if err := w.file.Close(); err != nil && w.err == nil {
			w.err = err
		}
	}
	w.file = f
}

// report tells about lost lines, not too often.
func (w *logWriter) report(last bool) {
	if w.lost == 0 && w.err == nil || !last && time.Since(w.reported) < logSilence {
		return
	}
	err := fmt.Errorf("%d lines were lost: the disk is slower than the requests come", w.lost)
	if w.err != nil {
		err = fmt.Errorf("%d lines were lost: %w", w.lost, w.err)
	}
	w.l.problem(err)
	w.lost, w.err, w.reported = 0, nil, time.Now()
}
