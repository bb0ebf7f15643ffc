package pyhost

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// generation is one import of the application's code: its queue, scoreboard and workers. Pool.mu guards it.
type generation struct {
	id       uint64
	queue    *os.File
	queueFD  int
	queueIn  *os.File // the workers' end, to take back what nobody has received
	board    *wire.Board
	workers  map[int]*worker // by index
	readers  int             // of streams, those of workers that have been replaced included
	inflight int             // calls that a worker holds or will receive
	retiring bool            // forget it when inflight is 0
	retired  bool            // forgotten: only its readers know it still
	// checkLost asks the ticker to look for requests that died with a worker.
	checkLost bool
}

// limit is how many calls may be under way: one per worker thread, and some ahead so that a thread that
// finishes finds the next without sleeping.
func (g *generation) limit(ahead int) int { return g.board.Processes()*g.board.Threads() + ahead }

func (g *generation) close() {
	for _, w := range g.workers {
		w.close()
	}
	g.queue.Close()
	g.queueIn.Close()
	g.board.Close()
}

// unmap gives the scoreboard back when the generation is forgotten and the last of its readers, who looks at
// what its worker held, has ended. Pool.mu is held.
func (g *generation) unmap() {
	if g.retired && g.readers == 0 && g.board != nil {
		g.board.Close()
		g.board = nil
	}
}

// AddGeneration announces a generation of the application: the front's and the workers' end of its queue, and
// its scoreboard. It takes over the files.
func (p *Pool) AddGeneration(id uint64, queue, queueIn, scoreboard *os.File) error {
	defer scoreboard.Close()
	board, err := wire.OpenBoard(scoreboard)
	if err != nil {
		queue.Close()
		queueIn.Close()
		return fmt.Errorf("cannot take over generation %d of app %q: %w", id, p.name, err)
	}
	fd := int(queue.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		queue.Close()
		queueIn.Close()
		board.Close()
		return fmt.Errorf("cannot take over the queue of app %q: %w", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.gens[id]; old != nil {
		queue.Close()
		queueIn.Close()
		board.Close()
		return fmt.Errorf("generation %d of app %q is already there", id, p.name)
	}
	p.gens[id] = &generation{id: id, queue: queue, queueFD: fd, queueIn: queueIn, board: board, workers: map[int]*worker{}}
	return nil
}

// AddWorker announces a worker process and starts to read its stream, which it takes over.
func (p *Pool) AddWorker(generation uint64, index, pid int, stream *os.File) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.gens[generation]
	if g == nil {
		stream.Close()
		return fmt.Errorf("worker %d of app %q belongs to generation %d, which is not there", index+1, p.name, generation)
	}
	w, err := newWorker(p, g, index, pid, stream)
	if err != nil {
		return err
	}
	g.workers[index] = w
	g.readers++
	go w.read()
	return nil
}

// Activate sends all requests from now on to that generation; those that wait in the front too.
func (p *Pool) Activate(generation uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.gens[generation]
	if g == nil {
		return fmt.Errorf("generation %d of app %q is not there", generation, p.name)
	}
	p.active = g
	p.refill()
	return nil
}

// Retire reports through Events.Retired as soon as no request of the generation is under way, and then forgets it.
func (p *Pool) Retire(generation uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.gens[generation]
	if g == nil {
		p.events.Retired(p.name, generation)
		return
	}
	if p.active == g {
		p.active = nil
	}
	p.takeBack(g)
	g.retiring = true
	if g.inflight == 0 {
		p.retired(g)
	}
}

// retired forgets g. Its streams end when its workers exit. mu is held.
func (p *Pool) retired(g *generation) {
	delete(p.gens, g.id)
	g.queue.Close()
	g.queueIn.Close()
	g.retired = true
	g.unmap()
	p.events.Retired(p.name, g.id)
}
