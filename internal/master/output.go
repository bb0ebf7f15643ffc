package master

import (
	"fmt"
	"os"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/errlog"
)

// outputPipe makes the pipe that becomes standard output and error of a child of who; each line goes to the log.
// The caller hands the writing end to the child and closes it.
func (m *Master) outputPipe(log zerolog.Logger, who *owner) (*os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot create a log pipe: %w", err)
	}
	if who != nil { // who may then open /dev/stderr, too, as some logging configurations do
		_ = unix.Fchown(fds[1], int(who.uid), int(who.gid)) // it can write to the descriptor in any case
	}
	// The writing end stays blocking: print() of an application does not expect EAGAIN.
	w := os.NewFile(uintptr(fds[1]), "log pipe")
	r, err := pollable(os.NewFile(uintptr(fds[0]), "log pipe"))
	if err != nil {
		w.Close()
		return nil, err
	}
	m.pumps[r] = struct{}{}
	m.spawn(func() {
		// Without a level, so that every level of the log lets it pass: only the application knows how grave it is.
		errlog.Lines(r, func(line []byte) { log.Log().Msg(string(line)) })
		r.Close()
		m.post(func() { delete(m.pumps, r) })
	})
	return w, nil
}
