package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"hognose/bench/peers"
	"hognose/bench/report"
)

// warmUp is the load that each peer gets before it is measured.
const warmUp = time.Second

// runner runs scenarios. It owns the scratch directory and, while a scenario
// runs, its servers.
type runner struct {
	opts      options
	root      string // of the repository
	dir       string // scratch
	static    string // directory of static files
	cert, key string // PEM files
	log       *os.File
	allPeers  []peers.Peer
}

// contestant is one peer in one scenario.
type contestant struct {
	peer   peers.Peer
	site   peers.Site
	server *peers.Server // nil while it does not run
	out    bool          // takes no further part
	found  report.Peer
}

func newRunner(opts options, root string) (*runner, error) {
	dir, err := os.MkdirTemp("", "hb-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a scratch directory: %w", err)
	}
	r := &runner{opts: opts, root: root, dir: dir, log: os.Stderr, allPeers: peers.All()}
	if err := r.prepare(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *runner) prepare() error {
	var err error
	if r.static, err = writeStatic(r.dir); err != nil {
		return err
	}
	r.cert, r.key, err = writeCertificate(r.dir)
	return err
}

// close removes the scratch directory. Servers were stopped by the scenario
// that started them.
func (r *runner) close() { _ = os.RemoveAll(r.dir) }

// run measures every scenario of the plan and prints each table when it is
// known.
func (r *runner) run(ctx context.Context, plan []scenario) (report.Run, error) {
	if len(plan) == 0 {
		return report.Run{}, usageError{errors.New("nothing to run: see -list for the cases and their peers")}
	}
	found := report.Run{Machine: describeMachine(ctx, r.root, r.opts.hognose), Settings: r.settings()}
	for i, s := range plan {
		r.logf("[%d/%d] %s: %s", i+1, len(plan), s.name, s.title)
		c, err := r.scenario(ctx, s)
		if err != nil {
			return found, err
		}
		found.Cases = append(found.Cases, c)
		if err := report.WriteText(os.Stdout, c, base); err != nil {
			return found, err
		}
	}
	return found, nil
}

func (r *runner) settings() report.Settings {
	return report.Settings{
		Date: time.Now().Format(time.DateOnly), Rounds: r.opts.rounds,
		Seconds: r.opts.duration.Seconds(), AccessLog: r.opts.accessLog,
	}
}

// scenario measures all peers of a scenario in turns. The error is that of ctx:
// what goes wrong with one peer fails that peer, and the others go on.
func (r *runner) scenario(ctx context.Context, s scenario) (report.Case, error) {
	field, err := r.field(s)
	if err != nil {
		return report.Case{}, err
	}
	defer func() {
		for _, c := range field {
			r.stop(c)
		}
	}()
	for round := range r.opts.rounds {
		for _, c := range field {
			if err := ctx.Err(); err != nil {
				return report.Case{}, err
			}
			r.round(ctx, s, c, round)
		}
	}
	if err := ctx.Err(); err != nil {
		return report.Case{}, err
	}
	found := report.Case{Name: s.name, Title: s.title, Columns: s.columns, Ratios: s.ratios}
	for _, c := range field {
		r.stop(c)
		found.Peers = append(found.Peers, c.found)
	}
	return found, nil
}

// field makes a contestant of each peer of the scenario, with a directory of
// its own.
func (r *runner) field(s scenario) ([]*contestant, error) {
	var field []*contestant
	for _, peer := range r.allPeers {
		if !slices.Contains(s.peers, peer.Name) {
			continue
		}
		site := r.site(s)
		site.Dir = filepath.Join(r.dir, s.name, peer.Name)
		if err := os.MkdirAll(site.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make a directory for %s: %w", peer.Name, err)
		}
		field = append(field, &contestant{peer: peer, site: site, found: report.Peer{Name: peer.Name}})
	}
	return field, nil
}

// site is what every peer of the scenario serves.
func (r *runner) site(s scenario) peers.Site {
	site := peers.Site{
		App: s.app, AppsDir: filepath.Join(r.root, "bench", "apps"), Venv: venvPath(r.root),
		Workers: s.workers, Cores: runtime.NumCPU(), Backlog: backlog(),
		AccessLog: r.opts.accessLog, HognoseBin: resolve(r.root, r.opts.hognose),
	}
	if s.static {
		site.StaticDir = r.static
	}
	if s.tls {
		site.Cert, site.Key = r.cert, r.key
	}
	return site
}

// round measures one contestant once and notes the result. One that failed to
// start, or could not be measured, sits out the rest.
func (r *runner) round(ctx context.Context, s scenario, c *contestant, round int) {
	if c.out {
		return
	}
	measured, err := r.measure(ctx, s, c)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.fail(round, err.Error())
		r.stop(c)
		c.out = true
		r.logf("  round %d, %s: %v", round+1, c.peer.Name, err)
		return
	}
	c.found.Samples = append(c.found.Samples, measured.sample)
	for _, failure := range measured.failures {
		c.fail(round, failure)
	}
	if s.fresh {
		r.stop(c)
	}
	r.logf("  round %d, %s: %s", round+1, c.peer.Name, report.Line(measured.sample, s.columns))
}

// measure starts the contestant when it does not run yet, and measures it.
func (r *runner) measure(ctx context.Context, s scenario, c *contestant) (measurement, error) {
	if c.server == nil {
		var err error
		if c.server, err = c.peer.Start(ctx, c.site, s.readyPath()); err != nil {
			return measurement{}, err
		}
		if err := checkAnswer(ctx, s, c.server.URL); err != nil {
			return measurement{}, err
		}
		if err := r.warm(ctx, s, c.server); err != nil {
			return measurement{}, err
		}
	}
	measured, err := s.measure(ctx, r, s, c.server)
	if err != nil {
		return measurement{}, err
	}
	// A server that broke under load fails, even if it did so quietly.
	return measured, checkAnswer(ctx, s, c.server.URL)
}

// stop ends the contestant's server. One that does not stop cleanly is worth a
// line, but says nothing about what was measured.
func (r *runner) stop(c *contestant) {
	if c.server == nil {
		return
	}
	if err := c.server.Stop(); err != nil {
		r.logf("  %s, stopping: %v", c.peer.Name, err)
	}
	c.server = nil
}

func (c *contestant) fail(round int, what string) {
	c.found.Failures = append(c.found.Failures, fmt.Sprintf("round %d: %s", round+1, what))
}

func (r *runner) logf(format string, args ...any) {
	fmt.Fprintf(r.log, format+"\n", args...)
}
