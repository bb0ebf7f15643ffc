package master

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/config"
	"hognose/internal/errlog"
	"hognose/internal/listen"
)

// Options is what the master needs from the program that it is part of.
type Options struct {
	// Version is named in the log.
	Version string
	// Load reads and checks the configuration: at start, and again for each reload.
	Load func() (*config.Config, error)
	// Prepare says how a zygote of an application starts, which includes finding its interpreter; as is who the
	// zygote will be, nil for the master's own user. It is called at start and for each reload, from several
	// goroutines, and may start processes and wait for them.
	Prepare func(app *config.App, as *syscall.Credential) (Launch, error)
}

// Launch is how a zygote of an application starts.
type Launch struct {
	// Settings returns a new descriptor with what its code is told (wire.FDSettings).
	Settings func() (*os.File, error)
}

// state is where the master is in its life.
type state uint8

const (
	stateBooting state = iota
	stateServing
	stateStopping
	stateOver
)

func (s state) String() string {
	return [...]string{"booting", "serving", "stopping", "over"}[s]
}

// Master is the root of the process tree. Use New and Run, once.
type Master struct {
	opt   Options
	clock clock

	events     chan func()
	done       chan struct{} // closed when nobody takes events any more
	goroutines sync.WaitGroup

	// The rest belongs to the goroutine of Run.
	state    state
	err      error
	errlog   *errlog.Log
	log      zerolog.Logger
	access   *os.File // nil when there is no access log
	children map[int]func(exit)
	loading  int // goroutines that may wait for children of their own
	pumps    map[*os.File]struct{}

	plan        *plan // in force; nil until the first rollout is done
	number      uint64
	sockets     map[string]*listen.Socket
	inherited   listen.Inherited
	apps        map[string]*app
	generations map[uint64]*generation // all that are not gone
	lastGen     uint64
	rollout     *rollout // nil when none is under way
	again       bool     // a reload was asked for during a rollout

	front        *front // nil while there is none
	lastFront    uint32
	frontBackoff backoff
	frontTimer   *timer

	stopTimer *timer
	stopBy    time.Time
	pidFile   string
}

// New returns a master that has done nothing yet.
func New(opt Options) *Master {
	return &Master{
		opt: opt, clock: realClock(),
		events: make(chan func()), done: make(chan struct{}),
		log: zerolog.Nop(), children: map[int]func(exit){}, pumps: map[*os.File]struct{}{},
		sockets: map[string]*listen.Socket{}, apps: map[string]*app{}, generations: map[uint64]*generation{},
	}
}

// Run runs the tree until one of Signals ends it, and returns nil then; an error says why it could not start. When Run
// returns, no child is left.
func (m *Master) Run(signals <-chan os.Signal) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become the parent of orphans: %w", err)
	}
	m.inherited = listen.Inherit()
	// What whoever started us has left open is not for our children.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("cannot keep open files from children: %w", err)
	}
	// A channel of its own: however many children end, no other signal is lost. One is enough, since reap looks at all.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	defer signal.Stop(ended)
	m.again = true
	m.startRollout()
	for m.state != stateOver {
		select {
		case event := <-m.events:
			event()
		case sig := <-signals:
			m.signal(sig)
		case <-ended:
			m.reap()
		}
	}
	m.release(ended)
	return m.err
}

// post runs f in the event loop. It waits until the loop takes it; after Run's end f is forgotten.
func (m *Master) post(f func()) {
	select {
	case m.events <- f:
	case <-m.done:
	}
}

// spawn runs f in a goroutine that Run waits for.
func (m *Master) spawn(f func()) {
	m.goroutines.Add(1)
	go func() {
		defer m.goroutines.Done()
		f()
	}()
}
