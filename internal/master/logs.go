package master

import (
	"os"

	"hognose/internal/config"
	"hognose/internal/errlog"
	"hognose/internal/wire"
)

// logFiles are the open files of a configuration's logs.
type logFiles struct {
	errors *os.File
	access *os.File // nil when there is no access log
}

// openLogs opens the log files that a configuration names.
func openLogs(cfg *config.Log) (*logFiles, error) {
	l := &logFiles{}
	var err error
	if l.errors, err = errlog.Open(cfg.Error); err != nil {
		return nil, err
	}
	switch cfg.Access {
	case config.LogOff, "":
	case config.LogStdout:
		l.access, err = errlog.Duplicate(os.Stdout)
	default:
		l.access, err = errlog.Open(cfg.Access)
	}
	if err != nil {
		l.errors.Close()
		return nil, err
	}
	return l, nil
}

// close closes files that were not put to use. The nil pointer has none.
func (l *logFiles) close() {
	if l == nil {
		return
	}
	l.errors.Close()
	if l.access != nil {
		l.access.Close()
	}
}

// useLogs makes the open files the ones that are written, here and in the front.
func (m *Master) useLogs(l *logFiles, level string) error {
	if m.errlog == nil {
		m.errlog = errlog.New(l.errors)
	} else {
		m.errlog.Replace(l.errors)
	}
	if m.access != nil {
		m.access.Close()
	}
	m.access = l.access
	var err error
	if m.log, err = m.errlog.Logger(level); err != nil {
		return err
	}
	if m.front != nil {
		m.front.sendLogs()
	}
	return nil
}

// reopenLogs opens the log files by their names, which are free after a rotation (nginx: the USR1 signal).
func (m *Master) reopenLogs() {
	if m.plan == nil {
		return
	}
	cfg := &m.plan.cfg.Log
	files, err := openLogs(cfg)
	if err == nil {
		err = m.useLogs(files, cfg.Level)
	}
	if err != nil {
		m.log.Error().Err(err).Msg("the logs are not reopened; the files before are written on")
		return
	}
	m.log.Info().Msg("logs are reopened")
}

// sendLogs hands the log files to the front.
func (f *front) sendLogs() {
	files := []*os.File{f.m.errlog.File()}
	if f.m.access != nil {
		files = append(files, f.m.access)
	}
	copies, err := duplicates(files...)
	if err != nil {
		f.log.Error().Err(err).Msg("cannot hand the logs over")
		return
	}
	f.give(&wire.Message{Type: wire.MsgLogs}, copies...)
}
