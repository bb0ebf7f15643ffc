package master

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"

	"hognose/internal/config"
	"hognose/internal/listen"
	"hognose/internal/wire"
)

// plan is a configuration with all that must be looked up before it can be carried out. It is read-only.
type plan struct {
	number       uint64
	cfg          *config.Config
	json         json.RawMessage
	certificates []wire.Certificate
	specs        []listen.Spec
	front        *owner
	apps         map[string]*plannedApp
	warnings     []string
}

// plannedApp is an application of a plan.
type plannedApp struct {
	cfg    *config.App
	owner  *owner
	launch Launch
}

// makePlan loads the configuration and looks everything up. It does not touch the state of the master.
func makePlan(opt *Options) (*plan, error) {
	cfg, err := opt.Load()
	if err != nil {
		return nil, err
	}
	p := &plan{cfg: cfg, apps: map[string]*plannedApp{}}
	if p.json, err = frontConfig(cfg); err != nil {
		return nil, err
	}
	var errs []error
	p.certificates, err = readCertificates(cfg)
	errs = append(errs, err, p.findOwners())
	p.specs, err = listenSpecs(cfg)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, p.prepare(opt.Prepare)
}

// frontConfig encodes what the front is told of the configuration: all but the environments of applications. Their
// secrets are not for the process that talks to clients.
func frontConfig(cfg *config.Config) (json.RawMessage, error) {
	public := *cfg
	public.Apps = map[string]*config.App{}
	for name, app := range cfg.Apps {
		a := *app
		a.Env = nil
		public.Apps[name] = &a
	}
	data, err := json.Marshal(&public)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the configuration: %w", err)
	}
	return data, nil
}

// findOwners looks up the users. An application without one is run by the front's.
func (p *plan) findOwners() error {
	var err error
	p.front, err = p.findOwner("the front", p.cfg.User, p.cfg.Group)
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Apps)) {
		app := &plannedApp{cfg: p.cfg.Apps[name], owner: p.front}
		if app.cfg.User != "" || app.cfg.Group != "" || p.front == nil {
			app.owner, err = p.findOwner(fmt.Sprintf("app %q", name), cmp.Or(app.cfg.User, p.cfg.User), app.cfg.Group)
			errs = append(errs, err)
		}
		p.apps[name] = app
	}
	return errors.Join(errs...)
}

// findOwner looks up the user of one part of the tree, nil for the one who started us. Only root can switch to another.
func (p *plan) findOwner(part, name, group string) (*owner, error) {
	root := os.Geteuid() == 0
	switch {
	case name == "" && group == "" && root:
		p.warn("%s runs as root; set its user", part)
		return nil, nil
	case name == "" && group == "":
		return nil, nil
	case !root:
		p.warn("%s keeps the user that started hognose, instead of %q: only root can change it", part, cmp.Or(name, group))
		return nil, nil
	}
	o, err := lookUpOwner(cmp.Or(name, "root"), group)
	if err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", part, err)
	}
	return o, nil
}

func (p *plan) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// prepare finds the interpreters of all applications.
func (p *plan) prepare(find func(*config.App, *syscall.Credential) (Launch, error)) error {
	names := slices.Sorted(maps.Keys(p.apps))
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			app := p.apps[name]
			if app.launch, errs[i] = find(app.cfg, app.owner.credential()); errs[i] != nil {
				errs[i] = fmt.Errorf("cannot start app %q: %w", name, errs[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// mostSockets is how many descriptors go with one message to the front.
const mostSockets = 63

// listenSpecs returns the sockets that a configuration names, each once, by Listen.Addr.
func listenSpecs(cfg *config.Config) ([]listen.Spec, error) {
	var specs []listen.Spec
	add := func(l config.Listen, spec listen.Spec) {
		spec.Key, spec.Network, spec.Address = l.Addr(), l.Network, l.Address
		spec.Backlog, spec.ReusePort = l.Backlog, l.ReusePort
		if !slices.ContainsFunc(specs, func(s listen.Spec) bool { return s.Key == spec.Key }) {
			specs = append(specs, spec)
		}
	}
	for _, server := range cfg.Servers {
		for _, l := range server.Listen {
			// nginx gives everyone access to its Unix sockets; the directory says who can reach them.
			add(l, listen.Spec{Mode: 0o666, UID: -1, GID: -1, Vacuum: true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Apps)) {
		app := cfg.Apps[name]
		if app.Socket.Network == "" {
			continue
		}
		uid, gid, err := parseChown(app.ChownSocket)
		if err != nil {
			return nil, fmt.Errorf("chown_socket of app %q: %w", name, err)
		}
		add(app.Socket.Listen(), listen.Spec{Mode: os.FileMode(app.ChmodSocket), UID: uid, GID: gid, Vacuum: app.Vacuum})
	}
	if len(specs) > mostSockets {
		return nil, fmt.Errorf("the configuration has %d listening sockets; at most %d are possible", len(specs), mostSockets)
	}
	return specs, nil
}
