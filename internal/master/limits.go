package master

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"hognose/internal/config"
)

// claimProcess does once what concerns the process itself: pid file and limits.
func (m *Master) claimProcess(cfg *config.Config) error {
	if err := m.claimPID(cfg.PID); err != nil {
		return err
	}
	return m.raiseFiles(cfg.WorkerConnections)
}

// raiseFiles raises the hard limit of open files to what the front may need for so many connections. Children
// inherit it. Go itself has raised the soft limit to the hard one.
func (m *Master) raiseFiles(connections int) error {
	need := uint64(2*connections) + 1024 // a connection may have a spool file or an upstream; and there are listeners, streams, static files
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("cannot read the limit of open files: %w", err)
	}
	if limit.Max >= need {
		return nil
	}
	err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: need, Max: need})
	switch {
	case errors.Is(err, unix.EPERM) && limit.Max < uint64(connections): // nginx warns of the same
		m.log.Warn().Msgf("worker_connections = %d exceeds the limit of open files, which is %d; "+
			"raise that (LimitNOFILE in systemd, ulimit -n elsewhere) or lower worker_connections", connections, limit.Max)
	case errors.Is(err, unix.EPERM):
	case err != nil:
		return fmt.Errorf("cannot raise the limit of open files to %d: %w", need, err)
	}
	return nil
}
