package master

import (
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
	if p.json, err = json.Marshal(cfg); err != nil {
		return nil, fmt.Errorf("cannot encode the configuration: %w", err)
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

// findOwners looks up the users. Only root can switch to them.
func (p *plan) findOwners() error {
	root := os.Geteuid() == 0
	var err error
	p.front, err = p.findOwner(root, p.cfg.User, p.cfg.Group, "user")
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Apps)) {
		app := &plannedApp{cfg: p.cfg.Apps[name]}
		if app.owner, err = p.findOwner(root, app.cfg.User, app.cfg.Group, fmt.Sprintf("user of app %q", name)); err != nil {
			errs = append(errs, err)
		}
		if app.cfg.User == "" {
			app.owner = p.front
		}
		p.apps[name] = app
	}
	return errors.Join(errs...)
}

func (p *plan) findOwner(root bool, name, group, key string) (*owner, error) {
	switch {
	case name == "" && group == "":
		return nil, nil
	case !root:
		p.warnings = append(p.warnings, fmt.Sprintf("%s = %q has no effect: hognose was not started as root", key, name))
		return nil, nil
	case name == "":
		name = "root"
	}
	o, err := lookUpOwner(name, group)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return o, nil
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
