package master

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/config"
	"hognose/internal/errlog"
	"hognose/internal/wire"
)

// genState is a state of a generation; see the package documentation.
type genState uint8

const (
	genImporting genState = iota
	genWarming
	genWarm
	genActive
	genDraining
	genStopping
	genGone
)

func (s genState) String() string {
	return [...]string{"importing", "warming", "warm", "active", "draining", "stopping", "gone"}[s]
}

// generation is one zygote of an application with its workers, queue and scoreboard.
type generation struct {
	m      *Master
	number uint64
	cfg    *config.App
	log    zerolog.Logger
	state  genState

	need    int         // workers that must be ready for it to be warm
	settled func(error) // called once: it is warm, or will never be

	queue, queueIn *os.File // the front's and the workers' end; open here for as long as the generation lives
	boardFile      *os.File
	board          *wire.Board
	owner          *owner
	zygote         *zygote
	workers        []*worker
	announced      uint32 // the front that knows of it
	timer          *timer
	begun          time.Time
}

// startGeneration starts a zygote of an application. settled is called later if there is no error now.
func (m *Master) startGeneration(p *plannedApp, need int, settled func(error)) (*generation, error) {
	m.lastGen++
	g := &generation{
		m: m, number: m.lastGen, cfg: p.cfg, owner: p.owner, need: need, settled: settled, begun: m.clock.now(),
		log: m.log.With().Str(errlog.FieldApp, p.cfg.Name).Logger(),
	}
	if err := g.start(p); err != nil {
		g.release()
		return nil, fmt.Errorf("cannot start app %q: %w", p.cfg.Name, err)
	}
	for i := range p.cfg.Processes {
		g.workers = append(g.workers, newWorker(g, i))
	}
	m.generations[g.number] = g
	g.timer = m.after(importWarning, g.slow)
	return g, nil
}

func (g *generation) start(p *plannedApp) error {
	dir, err := filepath.EvalSymlinks(p.cfg.Chdir) // a release that is switched by a symlink stays what it was
	if err != nil {
		return fmt.Errorf("cannot change to its chdir: %w", err)
	}
	if err := g.openQueue(); err != nil {
		return err
	}
	if g.boardFile, err = wire.NewBoard(p.cfg.Name, p.cfg.Processes, p.cfg.Threads); err != nil {
		return err
	}
	if g.board, err = wire.OpenBoard(g.boardFile); err != nil {
		return err
	}
	out, err := g.m.outputPipe(g.log, p.owner)
	if err != nil {
		return err
	}
	defer out.Close()
	spec := childSpec{
		title: "hognose: app " + p.cfg.Name + " (zygote)",
		env:   g.m.appEnv(p.cfg, p.owner, dir),
		dir:   dir, owner: p.owner, log: out,
	}
	g.zygote, err = startZygote(g, spec, p.launch, g.received, g.zygoteGone)
	return err
}

// queueBuffer is the room of a queue in bytes: what the front may have sent ahead of the workers.
const queueBuffer = 4 << 20

func (g *generation) openQueue() error {
	var err error
	if g.queue, g.queueIn, err = wire.Socketpair(unix.SOCK_SEQPACKET, "queue"); err != nil {
		return err
	}
	// What is under way is charged to the sender, so its buffer is the one that counts. More than net.core.wmem_max takes CAP_NET_ADMIN.
	fd := int(g.queue.Fd())
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, queueBuffer) == nil {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, queueBuffer); err != nil {
		return fmt.Errorf("cannot set the size of the queue: %w", err)
	}
	return nil
}

// received handles a message of the zygote.
func (g *generation) received(msg wire.Control) {
	switch msg.Type {
	case wire.ControlImported:
		g.imported()
	case wire.ControlFailed:
		// The text begins with the name of the application, as the traceback's line in the log does.
		g.fail(errors.New(strings.TrimPrefix(msg.Text, "app '"+g.cfg.Name+"': ")))
	case wire.ControlForked:
		if w := g.worker(msg.Worker); w != nil {
			w.forked(int(msg.Arg))
		}
	case wire.ControlExited:
		if w := g.worker(msg.Worker); w != nil && w.pid == int(msg.Arg&0xffffffff) {
			w.exited(exit{status: unix.WaitStatus(msg.Arg >> 32)})
		}
	default:
		g.log.Warn().Uint32("type", msg.Type).Msg("the zygote sent a message that nobody knows; it is ignored")
	}
}

func (g *generation) worker(index uint32) *worker {
	if uint64(index) >= uint64(len(g.workers)) {
		return nil
	}
	return g.workers[index]
}

func (g *generation) imported() {
	if g.state != genImporting {
		return
	}
	g.state = genWarming
	g.log.Debug().Uint64("generation", g.number).Stringer("took", g.m.clock.now().Sub(g.begun)).Msg("application is imported")
	for _, w := range g.workers {
		w.order()
	}
}

// importWarning is how long a start may take before the log mentions it, and how often it does.
const importWarning = 30 * time.Second

// slow mentions a generation that takes long to start: it may wait for something that never comes.
func (g *generation) slow() {
	if g.state > genWarming {
		return
	}
	waited := g.m.clock.now().Sub(g.begun).Round(time.Second)
	if waited >= longestStart {
		g.fail(fmt.Errorf("it is still %s after %s", g.state, waited))
		return
	}
	g.log.Warn().Msgf("the application is still %s after %s", g.state, waited)
	g.timer = g.m.after(importWarning, g.slow)
}

// longestStart is how long a generation may take to be warm.
const longestStart = 10 * time.Minute

// fail gives up a generation that is not warm yet.
func (g *generation) fail(err error) {
	if g.state > genWarming {
		return
	}
	g.kill()
	g.settle(fmt.Errorf("cannot start app %q: %w", g.cfg.Name, err))
}

// settle reports once whether the generation is warm.
func (g *generation) settle(err error) {
	settled := g.settled
	g.settled = nil
	if settled != nil {
		settled(err)
	}
}

// workerReady: one more worker receives requests.
func (g *generation) workerReady() {
	ready := 0
	for _, w := range g.workers {
		if w.state == workerReady {
			ready++
		}
	}
	if g.state == genWarming && ready >= g.need {
		g.state = genWarm
		g.timer.stop()
		g.settle(nil)
	}
}

// workerGone: a worker's process has ended, while it was in that state.
func (g *generation) workerGone(w *worker, was workerState, killed bool, e exit) {
	switch {
	case g.state == genStopping:
		g.proceed()
	case g.state == genDraining:
		// No new worker: the front has taken back from the queue what none had received.
		if !g.hasProcesses() {
			g.stop()
		}
	case g.state == genWarming:
		g.fail(fmt.Errorf("worker %d %s before it was ready", w.index+1, e))
	case was == workerStopping || !g.zygote.alive():
	default:
		w.again(killed)
	}
}

// zygoteGone: the zygote has ended. Its workers serve on, if there are any.
func (g *generation) zygoteGone(e exit) {
	for _, w := range g.workers {
		w.adopt()
	}
	switch g.state {
	case genImporting, genWarming:
		g.fail(fmt.Errorf("its zygote %s; what it printed is in the log", e))
	case genWarm, genActive, genDraining:
		g.log.Error().Int("pid", g.zygote.pid).Msg("zygote " + e.String())
		g.m.zygoteDied(g)
	}
	g.proceed()
	g.m.reap() // a worker may have died before it became our child
}

// attach gives a new worker its stream to the front that knows of the generation.
func (g *generation) attach(w *worker) {
	if f := g.m.front; f != nil && g.announced == f.generation {
		f.attach(w)
	}
}

// retire lets the generation finish what the front has sent to it, for so long.
func (g *generation) retire(mercy time.Duration) {
	if g.state >= genDraining {
		return
	}
	g.state = genDraining
	g.timer.stop()
	g.timer = g.m.after(mercy, func() {
		g.log.Warn().Uint64("generation", g.number).Msgf("old workers still run after reload_mercy = %q; they are killed", mercy)
		g.kill()
	})
	f := g.m.front
	if f == nil || g.announced != f.generation {
		g.stop()
		return
	}
	f.send(&wire.Message{Type: wire.MsgRetire, App: g.cfg.Name, Generation: g.number})
	if !g.hasProcesses() {
		g.stop()
	}
}

// stop tells the workers to finish what they run; the zygote follows them. Who calls it sees to a deadline.
func (g *generation) stop() {
	if g.state >= genStopping {
		return
	}
	if g.state < genWarming { // a zygote takes no orders while it imports
		g.kill()
		return
	}
	g.state = genStopping
	for _, w := range g.workers {
		w.stop()
	}
	g.proceed()
}

// kill ends all processes of the generation at once.
func (g *generation) kill() {
	if g.state == genGone {
		return
	}
	g.state = genStopping
	g.timer.stop()
	for _, w := range g.workers {
		if w.hasProcess() {
			w.kill()
		} else {
			w.vacate()
		}
	}
	if g.zygote != nil {
		g.zygote.kill()
	}
	g.proceed()
}

// proceed carries the end of a generation on: when no worker is left the zygote stops, when that is gone so is the generation.
func (g *generation) proceed() {
	if g.state != genStopping {
		return
	}
	if g.hasProcesses() {
		return
	}
	if !g.zygote.over() {
		g.zygote.stop()
		return
	}
	g.state = genGone
	g.timer.stop()
	g.release()
	g.m.generationGone(g)
}

// hasProcesses reports whether there are workers.
func (g *generation) hasProcesses() bool {
	return slices.ContainsFunc(g.workers, (*worker).hasProcess)
}

// release closes what the generation holds.
func (g *generation) release() {
	for _, f := range []*os.File{g.queue, g.queueIn, g.boardFile} {
		if f != nil {
			f.Close()
		}
	}
	if g.board != nil {
		_ = g.board.Close()
	}
}
