package master

import (
	"time"

	"hognose/internal/errlog"
	"hognose/internal/wire"
)

// app is an application that serves, or has served and will again.
type app struct {
	name   string
	active *generation // gets the requests
	// next is on its way to replace an active one whose zygote died; a rollout has its own.
	next    *generation
	backoff backoff
	timer   *timer
}

// promote makes g the generation that gets the requests of its application, and retires the one before.
func (m *Master) promote(g *generation) {
	a := m.apps[g.cfg.Name]
	if a == nil {
		a = &app{name: g.cfg.Name}
		m.apps[a.name] = a
	}
	old := a.active
	a.active, g.state = g, genActive
	a.backoff.works(m.clock.now())
	if m.front != nil {
		m.front.announce(g)
		m.front.activate(g)
	}
	if old != nil {
		old.retire(old.cfg.ReloadMercy.Std())
	}
	if !g.zygote.alive() { // it died between being warm and this
		m.replace(a)
	}
}

// zygoteDied: a generation that serves has lost its zygote.
func (m *Master) zygoteDied(g *generation) {
	a := m.apps[g.cfg.Name]
	if m.state == stateStopping || a == nil || a.active != g || m.rolling(a.name) {
		return
	}
	m.replace(a)
}

// replace starts another generation of an application whose zygote is dead, after a pause if that keeps happening.
func (m *Master) replace(a *app) {
	a.cancel()
	pause := a.backoff.pause(m.clock.now())
	event := m.log.Warn().Str(errlog.FieldApp, a.name)
	if pause == 0 {
		event.Msg("another zygote starts; the workers serve on until those of the new one are ready")
		m.startReplacement(a)
		return
	}
	event.Int("failures", a.backoff.failures).Msgf("another zygote starts in %s; the workers serve on until those of the new one are ready", pause)
	a.timer = m.after(pause, func() { m.startReplacement(a) })
}

// replaceDead begins to replace the zygotes whose death a rollout was to make good.
func (m *Master) replaceDead() {
	for _, a := range m.apps {
		if !a.active.zygote.alive() && a.next == nil && !a.timer.pending() {
			m.replace(a)
		}
	}
}

func (m *Master) startReplacement(a *app) {
	planned := m.plan.apps[a.name]
	g, err := m.startGeneration(planned, planned.cfg.Processes, func(err error) {
		g := a.next
		a.next = nil
		if err != nil {
			m.log.Error().Str(errlog.FieldApp, a.name).Err(err).Msg("cannot replace the zygote")
			m.replace(a)
			return
		}
		m.promote(g)
		m.log.Info().Str(errlog.FieldApp, a.name).Msg("the zygote and its workers are replaced")
	})
	if err != nil {
		m.log.Error().Str(errlog.FieldApp, a.name).Err(err).Msg("cannot replace the zygote")
		m.replace(a)
		return
	}
	a.next = g
}

// cancel gives up a replacement that is under way.
func (a *app) cancel() {
	a.timer.stop()
	if g := a.next; g != nil {
		a.next, g.settled = nil, nil
		g.kill()
	}
}

// remove ends an application that the configuration does not name any more.
func (m *Master) remove(a *app) {
	a.cancel()
	delete(m.apps, a.name)
	a.active.retire(a.active.cfg.ReloadMercy.Std())
}

// retired: the front says that none of its requests is under way in a generation.
func (m *Master) retired(msg *wire.Message) {
	if g := m.generations[msg.Generation]; g != nil && g.state == genDraining {
		g.stop()
	}
}

// killWorker replaces a worker that the front cannot use any more, and has said in its log why: harakiri, or a stream that makes no sense.
func (m *Master) killWorker(msg *wire.Message) {
	g := m.generations[msg.Generation]
	if m.state != stateServing || g == nil || msg.Worker < 0 || msg.Worker >= len(g.workers) {
		return
	}
	w := g.workers[msg.Worker]
	if w.pid == 0 || w.pid != msg.PID || w.killed {
		return
	}
	w.log.Warn().Int("pid", w.pid).Uints64("requests", w.requests()).Msg("worker is killed and replaced, because the front asks for it")
	w.killed = true
	w.signal(killSignal)
}

// generationGone: the last process of a generation has ended.
func (m *Master) generationGone(g *generation) {
	delete(m.generations, g.number)
	g.log.Debug().Uint64("generation", g.number).Msg("generation is gone")
	m.startRollout()
	m.finishStop()
}

// drainingLimit is how many old generations of one application may still be at work when a reload begins: each holds a copy of the application.
const drainingLimit = 2

// crowded reports whether some application has so many old generations that a reload must wait.
func (m *Master) crowded() bool {
	old := map[string]int{}
	for _, g := range m.generations {
		if g.state == genDraining {
			old[g.cfg.Name]++
		}
	}
	for _, n := range old {
		if n >= drainingLimit {
			return true
		}
	}
	return false
}

// since is how long something took, as the log shows it.
func (m *Master) since(t time.Time) time.Duration {
	return m.clock.now().Sub(t).Round(time.Millisecond)
}
