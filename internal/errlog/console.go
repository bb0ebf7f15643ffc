package errlog

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// writer writes events of zerolog.
type writer io.Writer

// Names of the fields that say who speaks. On a terminal they become the beginning of the line.
const (
	FieldApp    = "app"
	FieldWorker = "worker" // 1 and up, as in the process titles
)

func writerFor(f *os.File) writer {
	if !isTerminal(f) {
		return f
	}
	return console(f, os.Getenv("NO_COLOR") != "")
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// console returns a writer of lines for people. noColor: see https://no-color.org.
func console(out io.Writer, noColor bool) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{
		Out:           out,
		NoColor:       noColor,
		TimeFormat:    "15:04:05.000",
		FieldsExclude: []string{FieldApp, FieldWorker},
		FormatPrepare: func(event map[string]any) error {
			message, _ := event[zerolog.MessageFieldName].(string)
			event[zerolog.MessageFieldName] = origin(event) + printable(message)
			return nil
		},
		FormatLevel: func(v any) string { return levelText(v, noColor) },
		// zerolog's own makes the messages of all levels bold, which hides the log's own lines among an application's.
		FormatMessage: func(v any) string { return fmt.Sprint(v) },
	}
}

// levelText returns a level in three letters. What an application prints has none.
func levelText(v any, noColor bool) string {
	name, _ := v.(string)
	level, err := zerolog.ParseLevel(name)
	text, known := zerolog.FormattedLevels[level]
	switch {
	case err != nil || !known:
		return "   "
	case noColor:
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", zerolog.LevelColors[level], text)
}

// origin returns "blog[1]: " for worker 1 of app blog.
func origin(event map[string]any) string {
	app, ok := event[FieldApp].(string)
	if !ok {
		return ""
	}
	if n, ok := event[FieldWorker].(json.Number); ok {
		return printable(app) + "[" + n.String() + "]: "
	}
	return printable(app) + ": "
}

// printable shows control characters instead of sending them to the terminal: an application prints what clients
// sent, and a terminal obeys escape sequences.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '\u00b7'
		}
		return r
	}, s)
}

// Duplicate returns another descriptor of f.
func Duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s as a log: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
