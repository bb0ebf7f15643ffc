package master

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// claimPID writes the pid file (nginx: pid), and removes the one before if the name has changed. "" is none.
func (m *Master) claimPID(path string) error {
	if path == m.pidFile {
		return nil
	}
	if path != "" {
		if err := writePID(path); err != nil {
			return err
		}
	}
	m.dropPID()
	m.pidFile = path
	return nil
}

// writePID replaces a pid file as a whole, so that nobody ever reads half of one.
func writePID(path string) error {
	next := path + ".new"
	if err := os.WriteFile(next, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot write the pid file: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		os.Remove(next)
		return fmt.Errorf("cannot write the pid file: %w", err)
	}
	return nil
}

// dropPID removes the pid file, unless it has become another process's.
func (m *Master) dropPID() {
	if m.pidFile == "" {
		return
	}
	data, err := os.ReadFile(m.pidFile)
	if err == nil && strings.TrimSpace(string(data)) == strconv.Itoa(os.Getpid()) {
		err = os.Remove(m.pidFile)
	}
	if err != nil {
		m.log.Warn().Err(err).Msg("the pid file is left as it is")
	}
	m.pidFile = ""
}
