package errlog

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Stderr is the name of a log that goes to the standard error.
const Stderr = "stderr"

// Log is an open error log whose file can be replaced while loggers write to it.
// All methods may be called concurrently.
type Log struct {
	mu   sync.Mutex // guards what follows
	file *os.File
	out  writer // how lines look in file
}

// New returns a log that writes to file and takes it over.
func New(file *os.File) *Log {
	return &Log{file: file, out: writerFor(file)}
}

// Open opens the file of a log for appending; name is a path or Stderr.
func Open(name string) (*os.File, error) {
	if name == Stderr {
		return Duplicate(os.Stderr)
	}
	return OpenFile(name)
}

// OpenFile opens path for appending, and creates it for the owner to write and the group to read.
func OpenFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	return f, nil
}

// File returns the file that lines go to now. It stays the log's.
func (l *Log) File() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file
}

// Replace makes lines go to file from now on, takes it over, and closes the file before.
func (l *Log) Replace(file *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.file
	l.file, l.out = file, writerFor(file)
	old.Close()
}

// Close closes the file. Lines are lost from then on.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Write writes one event of zerolog. A log that cannot be written is no reason to stop serving: the line is lost.
func (l *Log) Write(event []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.out.Write(event)
	return len(event), nil
}

// Logger returns a logger of this log. Level is "debug", "info", "warn" or "error".
func (l *Log) Logger(level string) (zerolog.Logger, error) {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return zerolog.Nop(), fmt.Errorf("log level %q is not debug, info, warn or error", level)
	}
	return zerolog.New(l).Level(parsed).Hook(zerolog.HookFunc(stamp)), nil
}

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// stamp gives every event its time. zerolog's own way has seconds, unless a variable of that package is changed for everyone.
func stamp(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().Format(timeFormat))
}
