package master

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"hognose/internal/listen"
	"hognose/internal/wire"
)

// rolloutState is a state of a rollout; see the package documentation.
type rolloutState uint8

const (
	rolloutLoading rolloutState = iota
	rolloutWarming
	rolloutApplying
)

func (s rolloutState) String() string {
	return [...]string{"loading", "warming", "applying"}[s]
}

// rollout is a configuration on its way to be in force.
type rollout struct {
	m       *Master
	state   rolloutState
	number  uint64
	begun   time.Time
	plan    *plan
	opened  map[string]*listen.Socket // that were not open before
	next    map[string]*generation
	pending int       // generations that are not settled
	errs    []error   // of generations that are
	logs    *logFiles // nil at start
	timer   *timer
}

// startRollout begins the first rollout, or the next one if it was asked for and nothing stands against it.
func (m *Master) startRollout() {
	booted := m.plan == nil || m.state == stateServing // or the first front is on its way
	if m.rollout != nil || !m.again || !booted || m.state > stateServing || m.crowded() {
		return
	}
	m.again = false
	m.number++
	r := &rollout{m: m, number: m.number, begun: m.clock.now(), opened: map[string]*listen.Socket{}, next: map[string]*generation{}}
	m.rollout = r
	m.loading++
	m.spawn(func() {
		p, err := makePlan(&m.opt)
		m.post(func() {
			m.loading--
			m.reap()
			r.loaded(p, err)
		})
	})
}

// reload starts a rollout of the configuration as it is now on disk. While one is under way, it starts another one afterwards.
func (m *Master) reload() {
	switch {
	case m.state > stateServing:
		return
	case m.rollout != nil:
		m.log.Info().Msg("another reload follows the one that is under way")
	}
	m.again = true
	m.notifyReloading()
	m.startRollout()
	if m.rollout == nil && m.crowded() {
		m.log.Info().Msg("the reload begins when old workers have finished their requests")
	}
}

// rolling reports whether the rollout under way brings a generation of the application.
func (m *Master) rolling(app string) bool {
	return m.rollout != nil && m.rollout.next[app] != nil
}

// loaded: the plan is made. The loop goes on with what must be done by the owner of the state.
func (r *rollout) loaded(p *plan, err error) {
	m := r.m
	if m.rollout != r {
		return
	}
	if err == nil {
		err = r.openLogs(p)
	}
	if err != nil {
		r.abort(err)
		return
	}
	r.plan = p
	p.number = r.number
	for _, warning := range p.warnings {
		m.log.Warn().Msg(warning)
	}
	if err := r.listen(); err != nil {
		r.abort(err)
		return
	}
	if m.state == stateBooting {
		if err := m.claimProcess(p.cfg); err != nil {
			r.abort(err)
			return
		}
	}
	r.warm()
}

// openLogs opens the files of the logs anew: at start to write to them from now on, else to have them when the plan is in force.
func (r *rollout) openLogs(p *plan) error {
	files, err := openLogs(&p.cfg.Log)
	if err != nil {
		return err
	}
	if r.m.state == stateBooting {
		return r.m.useLogs(files, p.cfg.Log.Level)
	}
	r.logs = files
	return nil
}

// listen opens the sockets that are not open yet: all, or none.
func (r *rollout) listen() error {
	for _, spec := range r.plan.specs {
		if r.m.sockets[spec.Key] != nil {
			continue
		}
		s, ok := r.m.inherited.Take(spec)
		if !ok {
			var err error
			if s, err = listen.Open(spec); err != nil {
				return r.m.ownAddress(spec, err)
			}
		}
		r.opened[spec.Key] = s
	}
	for _, address := range r.m.inherited.Close() {
		r.m.log.Warn().Str("address", address).Msg("systemd passed a socket that no listen names; it is closed")
	}
	return nil
}

// ownAddress explains that an address is in use when it is we who use it. Two wildcards or addresses of one port may exclude each other.
func (m *Master) ownAddress(spec listen.Spec, err error) error {
	_, port, _ := net.SplitHostPort(spec.Address)
	for _, s := range m.sockets {
		if _, ours, _ := net.SplitHostPort(s.Addr()); spec.Network != "unix" && port == ours && errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("%w; it may be hognose itself, with %q: a reload cannot put one in the place of the other, a restart can", err, s.Addr())
		}
	}
	return err
}

// warm starts a generation of each application. The code of all of them is read anew.
func (r *rollout) warm() {
	r.state = rolloutWarming
	m := r.m
	names := slices.Sorted(maps.Keys(r.plan.apps))
	r.pending = len(names) + 1
	for _, name := range names {
		if a := m.apps[name]; a != nil {
			a.cancel()
		}
		planned := r.plan.apps[name]
		need := planned.cfg.Processes
		if m.state == stateBooting {
			need = 1 // the first request need not wait for the last worker
		}
		g, err := m.startGeneration(planned, need, func(err error) { r.settled(name, err) })
		if err != nil {
			r.settled(name, err)
			continue
		}
		r.next[name] = g
	}
	r.settled("", nil) // so that a rollout without applications settles, too, and none does before all have been started
}

// settled: a generation is warm, or will never be.
func (r *rollout) settled(name string, err error) {
	m := r.m
	r.pending--
	if err != nil {
		delete(r.next, name)
		if m.apps[name] == nil {
			r.errs = append(r.errs, err)
		} else {
			m.log.Error().Err(err).Msgf("the new code of app %q is not used; the old goes on", name)
		}
		if m.state == stateBooting { // do not wait for the others
			r.abort(err)
			return
		}
	}
	if r.pending > 0 || m.rollout != r {
		return
	}
	if err := errors.Join(r.errs...); err != nil {
		r.abort(err)
		return
	}
	r.apply()
}

// applyPatience is how long a front may take to make routes from a configuration.
const applyPatience = 30 * time.Second

// apply hands the configuration to the front, after the applications that it did not have before.
func (r *rollout) apply() {
	r.state = rolloutApplying
	m := r.m
	if m.state == stateBooting {
		r.commit()
		m.startFront()
		return
	}
	if m.front == nil { // the next one starts with it
		r.commit()
		return
	}
	for name, g := range r.next {
		if m.apps[name] == nil {
			m.front.announce(g)
			m.front.activate(g)
		}
	}
	m.front.send(r.plan.message(m.front))
	r.timer = m.after(applyPatience, func() {
		r.abort(fmt.Errorf("the front has not taken the configuration within %s", applyPatience))
	})
}

// message carries the configuration to a front.
func (p *plan) message(f *front) *wire.Message {
	return &wire.Message{Type: wire.MsgConfig, Generation: p.number, Front: f.generation, Config: p.json, Certificates: p.certificates}
}

// applied: the front uses the configuration, or not.
func (r *rollout) applied(err error) {
	if r.state != rolloutApplying {
		return
	}
	if err != nil {
		r.abort(err)
		return
	}
	r.commit()
}

// commit makes the plan the one in force. Nothing can fail any more.
func (r *rollout) commit() {
	m := r.m
	r.timer.stop()
	m.rollout = nil
	m.plan = r.plan
	r.swapSockets()
	for _, name := range slices.Sorted(maps.Keys(r.next)) {
		m.promote(r.next[name])
	}
	for name, a := range m.apps {
		if r.plan.apps[name] == nil {
			m.remove(a)
		}
	}
	m.replaceDead()
	if m.state == stateServing {
		r.reloaded()
	}
}

// reloaded ends a rollout that was not the first.
func (r *rollout) reloaded() {
	m := r.m
	if err := m.useLogs(r.logs, r.plan.cfg.Log.Level); err != nil {
		m.log.Error().Err(err).Msg("the log level stays as it was")
	}
	if m.front != nil && !m.front.owner.same(r.plan.front) {
		m.log.Warn().Msgf("user = %q has no effect on the front that runs; restart hognose", r.plan.cfg.User)
	}
	if err := m.claimPID(r.plan.cfg.PID); err != nil {
		m.log.Error().Err(err).Msg("the pid file stays where it was")
	}
	m.log.Info().Stringer("took", m.since(r.begun)).Msg("reload is done")
	m.notifyReady()
	m.startRollout()
}

// swapSockets closes the listening sockets that the configuration does not name any more.
func (r *rollout) swapSockets() {
	m := r.m
	maps.Copy(m.sockets, r.opened)
	var closing []*listen.Socket
	for key, s := range m.sockets {
		i := slices.IndexFunc(r.plan.specs, func(spec listen.Spec) bool { return spec.Key == key })
		if i < 0 {
			closing = append(closing, s)
			delete(m.sockets, key)
		} else if err := s.Update(r.plan.specs[i]); err != nil {
			m.log.Error().Err(err).Msg("a listening socket keeps its options")
		}
	}
	if m.front != nil {
		m.front.sendListeners()
	}
	for _, s := range closing {
		m.closeSocket(s)
	}
}

func (m *Master) closeSocket(s *listen.Socket) {
	if err := s.Close(); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.log.Error().Err(err).Msgf("the socket %q is left behind", s.Address)
	}
}

// abort gives the rollout up because of err. What was in force stays so.
func (r *rollout) abort(err error) {
	m := r.m
	r.cancel()
	if m.state == stateBooting {
		m.fail(err)
		return
	}
	m.log.Error().Err(err).Msg("reload failed; everything goes on as before")
	m.replaceDead()
	m.notifyReady()
	m.startRollout()
}

// cancel undoes what the rollout has begun.
func (r *rollout) cancel() {
	m := r.m
	r.timer.stop()
	m.rollout = nil
	r.logs.close()
	for _, s := range r.opened {
		m.closeSocket(s)
	}
	for _, g := range r.next {
		g.settled = nil
		if m.front != nil && g.announced == m.front.generation {
			g.retire(g.cfg.ReloadMercy.Std()) // an application that is new with this configuration
		} else {
			g.kill()
		}
	}
}
