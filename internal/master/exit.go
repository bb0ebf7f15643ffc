package master

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// exit is how a process ended.
type exit struct {
	status  unix.WaitStatus
	unknown bool // somebody else has reaped it
}

// String is the end of a sentence: "was killed by SIGKILL", "exited with code 3".
func (e exit) String() string {
	switch {
	case e.unknown:
		return "ended"
	case e.status.Signaled() && e.status.CoreDump():
		return fmt.Sprintf("was killed by %s (core dumped)", unix.SignalName(e.status.Signal()))
	case e.status.Signaled():
		return "was killed by " + unix.SignalName(e.status.Signal())
	}
	return fmt.Sprintf("exited with code %d", e.status.ExitStatus())
}
