package master

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"hognose/internal/config"
)

// notify tells systemd about a change of state, if it started us with Type=notify (sd_notify(3)).
func (m *Master) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.log.Warn().Err(err).Msg("cannot notify systemd")
	}
}

// notifyReloading says that a reload begins; systemd wants to know when (Type=notify-reload).
func (m *Master) notifyReloading() {
	m.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// notifyReady says that start or reload are over.
func (m *Master) notifyReady() {
	m.notify(daemon.SdNotifyReady + "\nSTATUS=Serving " + m.summary())
}

// summary names the applications that serve: "app api (2 workers), app blog (4 workers)".
func (m *Master) summary() string {
	var apps []string
	for _, name := range slices.Sorted(maps.Keys(m.plan.apps)) {
		n := m.plan.apps[name].cfg.Processes
		apps = append(apps, fmt.Sprintf("app %s (%d %s)", name, n, plural(n, "worker")))
	}
	if len(apps) == 0 {
		return "no applications"
	}
	return strings.Join(apps, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// urls returns where the servers can be reached: "https://localhost:8443".
func (m *Master) urls() string {
	var urls []string
	for _, server := range m.plan.cfg.Servers {
		for _, l := range server.Listen {
			if url := m.url(l); !slices.Contains(urls, url) {
				urls = append(urls, url)
			}
		}
	}
	for _, app := range m.plan.cfg.Apps {
		if l := app.Socket.Listen(); l.Network != "" {
			urls = append(urls, m.url(l))
		}
	}
	return strings.Join(urls, " ")
}

func (m *Master) url(l config.Listen) string {
	scheme := "http://"
	switch {
	case l.UWSGI:
		scheme = "uwsgi://"
	case l.SSL:
		scheme = "https://"
	}
	if l.Network == "unix" {
		return scheme + l.Addr()
	}
	addr := m.sockets[l.Addr()].Addr()
	for _, all := range []string{"0.0.0.0:", "[::]:"} {
		if port, ok := strings.CutPrefix(addr, all); ok {
			addr = "localhost:" + port
		}
	}
	return scheme + addr
}
