package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"hognose/internal/config"
	"hognose/internal/errlog"
	"hognose/internal/wire"
	"hognose/proxy"
	"hognose/pyhost"
	"hognose/pyhost/worker"
	"hognose/staticfs"
	"hognose/tls"
)

// frontFD is the descriptor of the front's socket to the master.
const frontFD = 3

// frontMain is the front process: it obeys the master's messages until the master stops it or is gone. Returns the exit status.
func frontMain() int {
	worker.SetTitle("hognose: front")
	// The garbage collector runs less often than by default: the front's heap is a few megabytes.
	debug.SetGCPercent(400)
	conn, err := wire.NewConn(os.NewFile(frontFD, "master"))
	if err != nil {
		fmt.Fprintf(os.Stderr, "hognose: front: %v\n", err)
		return 1
	}
	f := &front{conn: conn, pools: map[string]*pyhost.Pool{}, cache: staticfs.NewCache(staticfs.CacheConfig{}), log: zerolog.Nop()}
	for {
		m, files, err := conn.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return 1 // the master has died: nobody is left to serve for
			}
			f.log.Error().Err(err).Msg("cannot hear the master: the front ends")
			return 1
		}
		if m.Type == wire.MsgStop {
			return f.stop(time.Duration(m.Timeout))
		}
		if err := f.handle(m, files); err != nil {
			f.log.Error().Err(err).Msg("the front cannot do what the master asks for")
			return 1
		}
	}
}

// front is the composition root of the front process. It belongs to the goroutine of frontMain.
type front struct {
	conn   *wire.Conn
	number uint32 // generation of this front
	errlog *errlog.Log
	log    zerolog.Logger
	access *proxy.AccessLog
	cfg    *config.Config
	server *proxy.Server
	pools  map[string]*pyhost.Pool
	cache  *staticfs.Cache
	certs  *tls.Store // nil until a configuration has a certificate
	ready  bool
}

// handle does what a message asks for. Only what makes going on senseless is an error.
func (f *front) handle(m *wire.Message, files []*os.File) error {
	switch m.Type {
	case wire.MsgLogs:
		return f.logs(files)
	case wire.MsgConfig:
		return f.configure(m)
	case wire.MsgListeners:
		return f.listen(m.Listeners, files)
	case wire.MsgApp:
		if len(files) != 3 {
			return fmt.Errorf("message %q came with %d descriptors", m.Type, len(files))
		}
		return f.pool(m.App).AddGeneration(m.Generation, files[0], files[1], files[2])
	case wire.MsgWorker:
		if len(files) != 1 {
			return fmt.Errorf("message %q came with %d descriptors", m.Type, len(files))
		}
		return f.pool(m.App).AddWorker(m.Generation, m.Worker, m.PID, files[0])
	case wire.MsgActivate:
		return f.pool(m.App).Activate(m.Generation)
	case wire.MsgRetire:
		f.pool(m.App).Retire(m.Generation)
		return nil
	}
	return fmt.Errorf("unknown message %q", m.Type)
}

func (f *front) logs(files []*os.File) error {
	if len(files) == 0 || len(files) > 2 {
		return fmt.Errorf("message %q came with %d descriptors", wire.MsgLogs, len(files))
	}
	if f.errlog == nil {
		f.errlog = errlog.New(files[0])
	} else {
		f.errlog.Replace(files[0])
	}
	var access *os.File
	if len(files) == 2 {
		access = files[1]
	}
	if f.access == nil {
		f.access = proxy.NewAccessLog(f.accessProblem)
	}
	f.access.Reopen(access)
	return nil
}

func (f *front) accessProblem(err error) { f.log.Error().Err(err).Msg("access log") }

// configure takes over a configuration, or reports why it cannot.
func (f *front) configure(m *wire.Message) error {
	cfg := &config.Config{}
	err := json.Unmarshal(m.Config, cfg)
	if err == nil && f.errlog != nil {
		f.log, err = f.errlog.Logger(cfg.Log.Level)
	}
	if m.Front != 0 {
		f.number = m.Front
	}
	var settings *proxy.Settings
	if err == nil {
		settings, err = f.build(cfg)
	}
	if err == nil {
		err = f.certify(settings, certificates(cfg, m.Certificates))
	}
	answer := &wire.Message{Type: wire.MsgApplied, Generation: m.Generation}
	if err != nil {
		answer.Error = err.Error()
		return f.conn.Send(answer)
	}
	f.cfg = cfg
	runtime.GOMAXPROCS(int(cfg.WorkerProcesses))
	for name, app := range cfg.Apps {
		f.pool(name).Configure(poolConfig(cfg, app))
	}
	f.access.SetFormat(cfg.Log.Format)
	if f.server == nil {
		f.server = proxy.NewServer(settings, f.access, f.log)
	} else {
		f.server.Configure(settings)
	}
	return f.conn.Send(answer)
}

// certify puts the certificates in force; when it fails, nothing has changed.
func (f *front) certify(settings *proxy.Settings, certs []tls.Certificate) error {
	if len(certs) == 0 {
		return nil
	}
	if f.certs == nil {
		store, err := tls.New(tls.Config{Certificates: certs})
		if err != nil {
			return err
		}
		f.certs = store
	} else if err := f.certs.Update(certs); err != nil {
		return err
	}
	for _, warning := range f.certs.Warnings() {
		f.log.Warn().Err(warning).Msg("clients will complain about a certificate")
	}
	settings.TLS = f.certs.ConfigFor
	return nil
}

// listen serves the given sockets and no others.
func (f *front) listen(addrs []string, files []*os.File) error {
	if len(addrs) != len(files) || f.server == nil {
		return fmt.Errorf("message %q came with %d addresses and %d descriptors", wire.MsgListeners, len(addrs), len(files))
	}
	specs := listenSpecs(f.cfg)
	socks := map[config.Listen]net.Listener{}
	for i, file := range files {
		ln, err := net.FileListener(file)
		file.Close()
		if err != nil {
			return fmt.Errorf("cannot use the socket of %q: %w", addrs[i], err)
		}
		spec, ok := specs[addrs[i]]
		if !ok {
			ln.Close()
			return fmt.Errorf("the configuration does not listen on %q", addrs[i])
		}
		socks[spec] = ln
	}
	if err := f.server.Listen(socks); err != nil {
		return err
	}
	if f.ready {
		return nil
	}
	f.ready = true
	return f.conn.Send(&wire.Message{Type: wire.MsgReady})
}

// pool returns the pool of an application, which may be announced before the configuration that names it.
func (f *front) pool(name string) *pyhost.Pool {
	p := f.pools[name]
	if p != nil {
		return p
	}
	app := config.DefaultApp()
	cfg := f.cfg
	if cfg == nil {
		cfg = config.Default()
	}
	if a := cfg.Apps[name]; a != nil {
		app = a
	}
	p = pyhost.New(name, f.number, poolConfig(cfg, app), f.log, pyhost.Events{Retired: f.retired, Kill: f.kill})
	f.pools[name] = p
	return p
}

// retired and kill are called by pools, which must not wait.
func (f *front) retired(app string, generation uint64) {
	go f.tell(&wire.Message{Type: wire.MsgRetired, App: app, Generation: generation})
}

func (f *front) kill(app string, generation uint64, index, pid int) {
	go f.tell(&wire.Message{Type: wire.MsgKill, App: app, Generation: generation, Worker: index, PID: pid})
}

func (f *front) tell(m *wire.Message) {
	if err := f.conn.Send(m); err != nil && !errors.Is(err, unix.EPIPE) {
		f.log.Error().Err(err).Msg("cannot tell the master")
	}
}

// stop lets what runs finish, and returns the exit status.
func (f *front) stop(timeout time.Duration) int {
	if f.server == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	// When the time is over, handlers must not wait for applications any more.
	unhook := context.AfterFunc(ctx, f.closePools)
	defer unhook()
	if err := f.server.Shutdown(ctx); err != nil {
		f.log.Warn().Err(err).Dur("timeout", timeout).Msg("not all requests were finished (worker_shutdown_timeout)")
	}
	f.closePools()
	f.access.Close()
	return 0
}

func (f *front) closePools() {
	for _, p := range f.pools {
		p.Close()
	}
}
