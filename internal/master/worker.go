package master

import (
	"errors"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/errlog"
	"hognose/internal/wire"
)

// workerState is a state of a worker; see the package documentation.
type workerState uint8

const (
	workerVacant   workerState = iota // no process, none ordered
	workerForking                     // ordered from the zygote
	workerStarting                    // has a pid
	workerReady                       // receives requests
	workerStopping                    // finishes what it runs
	workerWaiting                     // died, comes again after a pause
)

func (s workerState) String() string {
	return [...]string{"vacant", "forking", "starting", "ready", "stopping", "waiting"}[s]
}

// worker is one numbered place of a generation, and the process that fills it at the moment.
type worker struct {
	gen   *generation
	index int
	log   zerolog.Logger
	state workerState

	// of the process
	pid     int
	pidfd   *os.File
	control *control
	ready   bool // its READY may come before the zygote's FORKED: they take different ways
	killed  bool // we killed it and have said why
	timer   *timer

	backoff backoff
}

func newWorker(g *generation, index int) *worker {
	return &worker{gen: g, index: index, log: g.log.With().Int(errlog.FieldWorker, index+1).Logger()}
}

// hasProcess reports whether there is a process, or may be one soon.
func (w *worker) hasProcess() bool { return w.state != workerVacant && w.state != workerWaiting }

// order asks the zygote for a process.
func (w *worker) order() {
	w.vacate()
	if !w.gen.zygote.alive() {
		return
	}
	if err := w.sendFork(); err != nil {
		w.log.Error().Err(err).Msg("cannot order a worker")
		w.vacate()
		w.gen.workerGone(w, workerForking, false, exit{unknown: true})
	}
}

func (w *worker) sendFork() error {
	m := w.gen.m
	c, peer, err := m.newControl("control socket of a worker", w.received, w.hungUp)
	if err != nil {
		return err
	}
	defer peer.Close()
	out, err := m.outputPipe(w.log, w.gen.owner)
	if err != nil {
		c.close()
		return err
	}
	defer out.Close()
	w.control, w.ready, w.killed = c, false, false
	w.state = workerForking
	return w.gen.zygote.control.send(wire.Control{Type: wire.ControlFork, Worker: uint32(w.index)}, peer, out)
}

// forked notes the pid that the zygote reports.
func (w *worker) forked(pid int) {
	if pid <= 0 || w.pid != 0 || w.state != workerForking && w.state != workerStopping {
		w.log.Error().Int("pid", pid).Msgf("bug: the zygote reports a fork while the worker is %s", w.state)
		return
	}
	w.pid = pid
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		w.pidfd = os.NewFile(uintptr(fd), "pidfd") // an error says that it is gone: EXITED follows
	}
	if w.state == workerStopping {
		return
	}
	w.state = workerStarting
	w.gen.attach(w)
	if w.ready {
		w.serves()
	}
}

// received handles a message of the process.
func (w *worker) received(c *control, msg wire.Control) {
	switch {
	case c != w.control:
	case msg.Type != wire.ControlReady:
		w.log.Warn().Uint32("type", msg.Type).Msg("the worker sent a message that nobody knows; it is ignored")
	default:
		w.ready = true
		if w.state == workerStarting {
			w.serves()
		}
	}
}

func (w *worker) serves() {
	w.state = workerReady
	w.backoff.works(w.gen.m.clock.now())
	w.log.Debug().Int("pid", w.pid).Msg("worker is ready")
	w.gen.workerReady()
}

// lastWords is how long a process may live without its control socket.
const lastWords = 2 * time.Second

// hungUp: the process has closed its control socket. It is dying; that it is dead is for others to say.
func (w *worker) hungUp(c *control) {
	if c != w.control || !w.hasProcess() {
		return
	}
	w.timer.stop()
	w.timer = w.gen.m.after(lastWords, w.silent)
}

// silent: the control socket was closed some time ago, and nobody has said that the process ended.
func (w *worker) silent() {
	if w.signal(unix.SIGKILL) {
		w.timer = w.gen.m.after(lastWords, w.silent)
		return
	}
	w.exited(exit{unknown: true})
}

// exited notes that the process has ended, and leaves the consequences to the generation.
func (w *worker) exited(e exit) {
	if !w.hasProcess() {
		return
	}
	state, killed := w.state, w.killed
	w.report(e)
	w.vacate()
	w.gen.workerGone(w, state, killed, e)
}

// report logs a death that nobody ordered, with the requests that it interrupted.
func (w *worker) report(e exit) {
	if w.killed || w.state == workerStopping {
		w.log.Debug().Int("pid", w.pid).Msg("worker " + e.String())
		return
	}
	event := w.log.Error().Int("pid", w.pid)
	if ids := w.requests(); len(ids) > 0 {
		event = event.Uints64("requests", ids)
	}
	event.Msg("worker " + e.String())
}

// requests returns the ids of the requests that the process works on, or worked on when it died.
func (w *worker) requests() []uint64 {
	var ids []uint64
	for thread := range w.gen.board.Threads() {
		s := w.gen.board.Slot(w.index, thread)
		if int(s.PID) == w.pid && (s.State == wire.SlotBusy || s.State == wire.SlotClosing) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// vacate forgets the process.
func (w *worker) vacate() {
	w.timer.stop()
	w.control.close()
	w.control = nil
	if w.pidfd != nil {
		w.pidfd.Close()
		w.pidfd = nil
	}
	delete(w.gen.m.children, w.pid)
	w.pid, w.state = 0, workerVacant
}

// again orders the next process, after a pause if this place keeps dying.
func (w *worker) again(killed bool) {
	m := w.gen.m
	var pause time.Duration
	if !killed {
		pause = w.backoff.pause(m.clock.now())
	}
	if pause == 0 {
		w.order()
		return
	}
	w.log.Warn().Int("failures", w.backoff.failures).Stringer("pause", pause).
		Msgf("the worker keeps dying; the next one starts in %s", pause)
	w.state = workerWaiting
	w.timer = m.after(pause, w.order)
}

// stop tells the process to finish what it runs and exit. It reports whether there is a process.
func (w *worker) stop() bool {
	if !w.hasProcess() {
		w.vacate()
		return false
	}
	if w.state != workerStopping {
		w.state = workerStopping
		if err := w.control.send(wire.Control{Type: wire.ControlStop}); err != nil {
			w.killed = true
			w.signal(unix.SIGKILL)
		}
	}
	return true
}

// kill ends the process at once.
func (w *worker) kill() {
	w.killed = true
	w.control.close() // which also ends one whose pid is not known yet
	w.signal(unix.SIGKILL)
}

// signal reports whether the process was there to get it.
func (w *worker) signal(sig unix.Signal) bool {
	if w.pidfd == nil {
		return false
	}
	return !errors.Is(unix.PidfdSendSignal(int(w.pidfd.Fd()), sig, nil, 0), unix.ESRCH)
}

// adopt: the zygote is gone, which makes us the parent of its workers.
func (w *worker) adopt() {
	switch {
	case !w.hasProcess():
		w.vacate()
	case w.pid == 0:
		// Whether it was forked at all nobody knows; without its control socket it ends.
		w.exited(exit{unknown: true})
	default:
		w.gen.m.children[w.pid] = w.exited
	}
}
