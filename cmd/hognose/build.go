package main

import (
	"fmt"
	"maps"
	"slices"

	"hognose/internal/config"
	"hognose/internal/exchange"
	"hognose/internal/spool"
	"hognose/internal/wire"
	"hognose/proxy"
	"hognose/pyhost"
	"hognose/staticfs"
	"hognose/tls"
	"hognose/upstream"
)

// build turns a configuration into what the server works by. It changes nothing that is in force.
func (f *front) build(cfg *config.Config) (*proxy.Settings, error) {
	router, err := proxy.NewRouter(routes(cfg), func(_ *config.Server, loc *config.Location) (exchange.Handler, error) {
		return f.handler(cfg, loc)
	})
	if err != nil {
		return nil, err
	}
	return &proxy.Settings{Router: router, Version: versionText(), WorkerConnections: cfg.WorkerConnections}, nil
}

// certificates says for which names and listeners the certificates are that the master has read.
func certificates(cfg *config.Config, read []wire.Certificate) []tls.Certificate {
	var all []tls.Certificate
	for _, srv := range cfg.Servers {
		i := slices.IndexFunc(read, func(c wire.Certificate) bool {
			return c.CertFile == srv.Certificate.Cert && c.KeyFile == srv.Certificate.Key
		})
		if i < 0 {
			continue
		}
		cert := tls.Certificate{CertPEM: read[i].CertPEM, KeyPEM: read[i].KeyPEM, CertFile: read[i].CertFile, KeyFile: read[i].KeyFile}
		for _, name := range srv.ServerName {
			if name != "" && name != "_" {
				cert.Names = append(cert.Names, name)
			}
		}
		for _, l := range srv.Listen {
			if !l.SSL {
				continue
			}
			cert.Listen = append(cert.Listen, l.Addr())
			if l.DefaultServer {
				cert.DefaultFor = append(cert.DefaultFor, l.Addr())
			}
		}
		if len(cert.Listen) > 0 {
			all = append(all, cert)
		}
	}
	return all
}

// handler makes what answers the requests of a location.
func (f *front) handler(cfg *config.Config, loc *config.Location) (exchange.Handler, error) {
	limits := &loc.HTTP
	body := spool.Limits{Inline: int(limits.ClientBodyBufferSize), Memory: int64(limits.ClientBodyMaxMemory), Dir: cfg.TempPath}
	switch {
	case loc.Pass.Kind == config.PassApp:
		return f.pool(loc.Pass.Target).Handler(pyhost.Options{
			ReadTimeout: limits.UWSGIReadTimeout.Std(), Buffering: limits.UWSGIBuffering,
			MaxTempFileSize: int64(limits.UWSGIMaxTempFileSize), Body: body,
		}), nil
	case loc.Pass.Kind == config.PassUWSGI:
		h, err := upstream.New(upstream.Config{
			Address: loc.Pass.Target, ConnectTimeout: limits.UWSGIConnectTimeout.Std(),
			ReadTimeout: limits.UWSGIReadTimeout.Std(), SendTimeout: limits.UWSGIReadTimeout.Std(),
			Buffering: limits.UWSGIBuffering, MaxTempFileSize: int64(limits.UWSGIMaxTempFileSize), Body: body,
		})
		if err != nil {
			return nil, err
		}
		return h.Serve, nil
	case loc.Alias != "" || loc.Root != "":
		fs, err := staticfs.New(staticfs.Config{Root: loc.Root, Alias: loc.Alias, Prefix: loc.Path.Path, Index: loc.Index, Cache: f.cache})
		if err != nil {
			return nil, err
		}
		return fs.Serve, nil
	}
	return nil, fmt.Errorf("location %q has nothing to do", loc.Path)
}

// poolConfig is what the configuration says about an application's pool.
func poolConfig(cfg *config.Config, app *config.App) pyhost.Config {
	return pyhost.Config{
		Listen: app.Listen, QueueTimeout: app.QueueTimeout.Std(), Harakiri: app.Harakiri.Std(), TempPath: cfg.TempPath,
	}
}

// routes returns the servers of the configuration and one more for each application that has a uwsgi socket of its own.
func routes(cfg *config.Config) []*config.Server {
	servers := slices.Clone(cfg.Servers)
	for _, name := range slices.Sorted(maps.Keys(cfg.Apps)) {
		app := cfg.Apps[name]
		if app.Socket == (config.Socket{}) {
			continue
		}
		listen := app.Socket.Listen()
		listen.DefaultServer = true
		servers = append(servers, &config.Server{
			Listen: []config.Listen{listen}, ServerName: []string{""}, HTTP: cfg.HTTP,
			Locations: []*config.Location{{
				Path: config.LocationPath{Path: "/"}, Pass: config.Pass{Kind: config.PassApp, Target: name}, HTTP: cfg.HTTP,
			}},
		})
	}
	return servers
}

// listenSpecs returns what the configuration says about each address that it listens on.
func listenSpecs(cfg *config.Config) map[string]config.Listen {
	specs := map[string]config.Listen{}
	for _, srv := range routes(cfg) {
		for _, l := range srv.Listen {
			specs[l.Addr()] = l
		}
	}
	return specs
}
