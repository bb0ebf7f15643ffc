package master

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// FrontFD is the descriptor of the front's end of its wire.Conn.
const FrontFD = 3

// FrontTitle is the process title of the front.
const FrontTitle = "hognose: front"

// front is one front process. There is one at a time; each has a number of its own.
type front struct {
	m          *Master
	generation uint32
	pid        int
	owner      *owner
	log        zerolog.Logger
	conn       *wire.Conn
	out        chan outgoing
	ready      bool
	hung       *timer
}

// outgoing is a message in the queue to the front.
type outgoing struct {
	msg   *wire.Message
	files []*os.File
	own   bool // close files afterwards
}

// frontBacklog is how many messages may wait for a front that does not read; then it is killed.
const frontBacklog = 4096

// startFront starts a front and tells it everything.
func (m *Master) startFront() {
	f, err := m.newFront()
	if err != nil {
		m.frontFailed(fmt.Errorf("cannot start the front: %w", err))
		return
	}
	m.front = f
	f.sendLogs()
	f.send(m.plan.message(f))
	for _, name := range slices.Sorted(maps.Keys(m.apps)) {
		f.announce(m.apps[name].active)
		f.activate(m.apps[name].active)
	}
	f.sendListeners()
	f.hung = m.after(applyPatience, func() {
		f.log.Error().Msgf("the front is not ready after %s; it is killed", applyPatience)
		m.kill(f.pid)
	})
}

func (m *Master) newFront() (*front, error) {
	log := m.log.With().Str("process", "front").Logger()
	ours, peer, err := wire.Socketpair(unix.SOCK_SEQPACKET, "socket of the front")
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	conn, err := wire.NewConn(ours)
	if err != nil {
		return nil, err
	}
	out, err := m.outputPipe(log, m.plan.front)
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer out.Close()
	m.lastFront++
	f := &front{m: m, generation: m.lastFront, owner: m.plan.front, conn: conn, out: make(chan outgoing, frontBacklog), log: log}
	f.pid, err = m.start(childSpec{
		title: FrontTitle, owner: m.plan.front, files: []*os.File{peer}, log: out, env: f.env(m.plan.front),
	}, f.exited)
	if err != nil {
		conn.Close()
		return nil, err
	}
	m.spawn(f.write)
	m.spawn(f.read)
	return f, nil
}

func (f *front) env(who *owner) []string {
	env := append(pick(os.Environ(), baseEnv[:]...), who.env()...)
	env = append(env, pick(os.Environ(), "GODEBUG", "GOTRACEBACK", "GOMEMLIMIT", "GOGC", "GOCOVERDIR")...)
	return append(env, RoleEnv+"="+RoleFront)
}

// write sends what is queued. It ends when the queue is closed.
func (f *front) write() {
	for o := range f.out {
		if err := f.conn.Send(o.msg, o.files...); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			f.log.Error().Err(err).Msg("the front misses a message; if it does not do what it should, kill it: another one starts")
		}
		if o.own {
			closeFiles(o.files)
		}
	}
	f.conn.Close()
}

func closeFiles(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}

// read receives the front's messages until it hangs up.
func (f *front) read() {
	for {
		msg, files, err := f.conn.Recv()
		if err != nil {
			return
		}
		closeFiles(files)
		f.m.post(func() { f.received(msg) })
	}
}

// received handles a message of the front.
func (f *front) received(msg *wire.Message) {
	m := f.m
	if m.front != f {
		return
	}
	switch msg.Type {
	case wire.MsgReady:
		f.serves()
	case wire.MsgApplied:
		f.applied(msg)
	case wire.MsgRetired:
		m.retired(msg)
	case wire.MsgKill:
		m.killWorker(msg)
	default:
		f.log.Warn().Str("type", string(msg.Type)).Msg("the front sent a message that nobody knows; it is ignored")
	}
}

// serves: the front has taken everything over.
func (f *front) serves() {
	if f.ready {
		return
	}
	f.ready = true
	f.hung.stop()
	f.m.frontBackoff.works(f.m.clock.now())
	if f.m.state == stateBooting {
		f.m.serve()
		return
	}
	f.log.Info().Int("pid", f.pid).Msg("the front serves")
}

// applied: a configuration is in force in the front, or not.
func (f *front) applied(msg *wire.Message) {
	m := f.m
	var err error
	if msg.Error != "" {
		err = errors.New(msg.Error)
	}
	switch r := m.rollout; {
	case r != nil && r.number == msg.Generation:
		r.applied(err)
	case err != nil && m.state == stateBooting:
		m.fail(err)
	case err != nil:
		f.log.Error().Err(err).Msg("the front cannot use the configuration")
	}
}

// send queues a message with files, which stay the caller's and must stay open for as long as the front is told of them.
func (f *front) send(msg *wire.Message, files ...*os.File) { f.enqueue(outgoing{msg, files, false}) }

// give queues a message with files that are closed after it was sent.
func (f *front) give(msg *wire.Message, files ...*os.File) { f.enqueue(outgoing{msg, files, true}) }

func (f *front) enqueue(o outgoing) {
	select {
	case f.out <- o:
	default:
		if o.own {
			closeFiles(o.files)
		}
		f.log.Error().Msgf("the front has left %d messages unread; it is killed", frontBacklog)
		f.m.kill(f.pid)
	}
}

// announce tells the front of a generation and its workers.
func (f *front) announce(g *generation) {
	if g.announced == f.generation {
		return
	}
	g.announced = f.generation
	files, err := duplicates(g.queue, g.queueIn, g.boardFile)
	if err != nil {
		g.log.Error().Err(err).Msg("cannot tell the front of a generation")
		return
	}
	f.give(&wire.Message{Type: wire.MsgApp, App: g.cfg.Name, Generation: g.number}, files...)
	for _, w := range g.workers {
		f.attach(w)
	}
}

// duplicates returns copies of descriptors for a message: when it is sent, the originals may have been closed.
func duplicates(files ...*os.File) ([]*os.File, error) {
	var copies []*os.File
	for _, file := range files {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			closeFiles(copies)
			return nil, fmt.Errorf("cannot copy the descriptor of a %s: %w", file.Name(), err)
		}
		copies = append(copies, os.NewFile(uintptr(fd), file.Name()))
	}
	return copies, nil
}

// streamBuffer is the room of a response stream in bytes.
const streamBuffer = 2 * wire.Window

// attach connects a worker and the front by a stream. Only they hold its ends: so the death of one is the end of the other's.
func (f *front) attach(w *worker) {
	if w.state != workerStarting && w.state != workerReady {
		return
	}
	ours, theirs, err := wire.Socketpair(unix.SOCK_STREAM, "stream of a worker")
	if err != nil {
		w.log.Error().Err(err).Msg("cannot connect worker and front; the worker is replaced")
		w.kill()
		return
	}
	defer theirs.Close()
	// Room for a window, so that a worker that sends a large response need not wait for the front in between. The default does too.
	_ = unix.SetsockoptInt(int(theirs.Fd()), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, streamBuffer)
	if err := w.control.send(wire.Control{Type: wire.ControlFront, Arg: uint64(f.generation)}, theirs); err != nil {
		ours.Close() // it is dying
		w.signal(killSignal)
		return
	}
	f.give(&wire.Message{Type: wire.MsgWorker, App: w.gen.cfg.Name, Generation: w.gen.number, Worker: w.index, PID: w.pid}, ours)
}

// activate sends requests to a generation from now on.
func (f *front) activate(g *generation) {
	f.send(&wire.Message{Type: wire.MsgActivate, App: g.cfg.Name, Generation: g.number})
}

// sendListeners sends the complete set of listening sockets.
func (f *front) sendListeners() {
	keys := slices.Sorted(maps.Keys(f.m.sockets))
	var files []*os.File
	for _, key := range keys {
		files = append(files, f.m.sockets[key].File())
	}
	copies, err := duplicates(files...)
	if err != nil {
		f.log.Error().Err(err).Msg("cannot hand the listening sockets over")
		return
	}
	f.give(&wire.Message{Type: wire.MsgListeners, Listeners: keys}, copies...)
}

// exited: the front has ended.
func (f *front) exited(e exit) {
	m := f.m
	f.hung.stop()
	close(f.out)
	m.front = nil
	for _, g := range m.generations {
		for _, w := range g.workers {
			if w.state == workerStarting || w.state == workerReady || w.state == workerStopping {
				_ = w.control.send(wire.Control{Type: wire.ControlDrop, Arg: uint64(f.generation)}) // a dead worker needs no telling
			}
		}
	}
	if m.state == stateStopping {
		m.frontStopped()
		return
	}
	m.frontFailed(fmt.Errorf("the front (pid %d) %s", f.pid, e))
}

// frontFailed: there is no front. Connections wait in the sockets' backlogs for the next one.
func (m *Master) frontFailed(err error) {
	if m.state == stateBooting {
		m.fail(err)
		return
	}
	for _, g := range m.generations {
		if g.state == genDraining { // the requests that it worked on have lost their clients
			g.stop()
		}
	}
	pause := m.frontBackoff.pause(m.clock.now())
	m.log.Error().Err(err).Int("failures", m.frontBackoff.failures).Msg("the front is replaced " + inSoLong(pause))
	if r := m.rollout; r != nil && r.state == rolloutApplying {
		r.abort(errors.New("the front died while it took over the configuration; send SIGHUP to try again"))
	}
	if pause == 0 {
		m.startFront()
		return
	}
	m.frontTimer = m.after(pause, m.startFront)
}

func inSoLong(pause time.Duration) string {
	if pause == 0 {
		return "at once"
	}
	return "in " + pause.String()
}

const killSignal = unix.SIGKILL
