package master

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// Signals returns the signals that Run wants.
//
//	SIGTERM, SIGQUIT, SIGINT   stop: what runs may finish (worker_shutdown_timeout); a second one stops at once
//	SIGHUP                     reload
//	SIGUSR1                    reopen the logs
func Signals() []os.Signal {
	return []os.Signal{unix.SIGTERM, unix.SIGQUIT, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1}
}

func (m *Master) signal(sig os.Signal) {
	switch sig {
	case unix.SIGHUP:
		m.reload()
	case unix.SIGUSR1:
		m.reopenLogs()
	case unix.SIGTERM, unix.SIGQUIT, unix.SIGINT:
		if m.state >= stateStopping {
			m.log.Warn().Stringer("signal", sig.(unix.Signal)).Msg("stopping at once")
			m.killAll()
			return
		}
		m.stop(sig)
	}
}

// serve: the first front has taken everything over.
func (m *Master) serve() {
	m.state = stateServing
	m.log.Info().Int("pid", os.Getpid()).Msgf("hognose %s ready: %s serving %s", m.opt.Version, m.urls(), m.summary())
	m.notifyReady()
	m.startRollout()
}

const (
	// frontGrace is how long the front may take for its own end, once its time for requests is over.
	frontGrace = time.Second
	// leastGrace is what workers get to exit when the front has used up the time.
	leastGrace = 3 * time.Second
)

// lingerPatience is how long Run waits, at its end, for what it knows nothing of.
const lingerPatience = time.Second

// stop ends the tree in order: no new connections; the front finishes what it can; then the workers stop, which have
// nothing to do any more; what is left at the deadline is killed.
func (m *Master) stop(sig os.Signal) {
	booting := m.state == stateBooting
	m.state = stateStopping
	m.log.Info().Stringer("signal", sig.(unix.Signal)).Msg("stopping")
	m.notify("STOPPING=1")
	if r := m.rollout; r != nil {
		r.cancel()
	}
	for _, a := range m.apps {
		a.cancel()
	}
	m.frontTimer.stop()
	if booting {
		m.killAll()
		return
	}
	timeout := m.plan.cfg.WorkerShutdownTimeout.Std()
	m.stopBy = m.clock.now().Add(timeout)
	if m.front != nil {
		m.front.send(&wire.Message{Type: wire.MsgStop, Timeout: int64(timeout)})
		pid := m.front.pid
		m.stopTimer = m.after(timeout+frontGrace, func() { m.kill(pid) })
	}
	m.closeSockets()
	if m.front == nil {
		m.frontStopped()
	}
}

// closeSockets closes the listening sockets, so that nobody connects who would not be served.
func (m *Master) closeSockets() {
	for key, s := range m.sockets {
		m.closeSocket(s)
		delete(m.sockets, key)
	}
}

// frontStopped: the front has ended, as it should.
func (m *Master) frontStopped() {
	m.stopTimer.stop()
	m.stopTimer = m.after(max(leastGrace, m.stopBy.Sub(m.clock.now())), func() {
		m.log.Warn().Msgf("processes still run after worker_shutdown_timeout = %q; they are killed", m.plan.cfg.WorkerShutdownTimeout)
		m.killAll()
	})
	for _, g := range m.generations {
		g.stop()
	}
	m.finishStop()
}

// fail ends a start that cannot succeed.
func (m *Master) fail(err error) {
	if m.state == stateBooting {
		m.state, m.err = stateStopping, err
		if r := m.rollout; r != nil {
			r.cancel()
		}
		m.killAll()
	}
}

// killAll ends all processes at once.
func (m *Master) killAll() {
	if m.front != nil {
		m.kill(m.front.pid)
	}
	for _, g := range m.generations {
		g.settled = nil
		g.kill()
	}
	m.finishStop()
}

// finishStop ends the event loop when nothing is left of the tree.
func (m *Master) finishStop() {
	if m.state == stateStopping && m.front == nil && len(m.generations) == 0 {
		m.state = stateOver
	}
}

// release gives back what Run has taken.
func (m *Master) release(ended <-chan os.Signal) {
	m.linger(ended)
	close(m.done)
	for r := range m.pumps {
		r.Close()
	}
	m.stopTimer.stop()
	m.frontTimer.stop()
	m.closeSockets()
	m.inherited.Close()
	m.goroutines.Wait()
	m.dropPID()
	if m.err == nil {
		m.log.Info().Msg("stopped")
	}
	if m.access != nil {
		m.access.Close()
	}
	if m.errlog != nil {
		_ = m.errlog.Close()
	}
}

// linger waits a little for the last lines of children, a traceback may be among them, and for the end of processes that
// nobody has told us of: a worker whose zygote died before it could, or what an application has left behind.
func (m *Master) linger(ended <-chan os.Signal) {
	late := time.After(lingerPatience)
	for len(m.pumps) > 0 || hasChildren() {
		select {
		case event := <-m.events:
			event()
		case <-ended:
			m.reap()
		case <-late:
			return
		}
	}
}
