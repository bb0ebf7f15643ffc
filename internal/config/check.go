package config

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check finds what is wrong with a resolved configuration beyond the types of its values.
func (l *loader) check(c *Config) {
	l.checkTop(c)
	l.checkLog(&c.Log)
	l.checkHTTP(&c.HTTP, "in [http]", &c.HTTP)
	for _, name := range sortedKeys(c.Apps) {
		l.checkApp(c.Apps[name])
	}
	for _, s := range c.Servers {
		l.checkServer(c, s)
	}
	l.checkPurpose(c)
}

func (l *loader) checkTop(c *Config) {
	within(l, c, "worker_processes", topLevel, c.WorkerProcesses, 0, 1024)
	within(l, c, "worker_connections", topLevel, c.WorkerConnections, 1, 10_000_000)
	within(l, c, "worker_shutdown_timeout", topLevel, c.WorkerShutdownTimeout, 0, day)
	l.checkAccount(c, "user", topLevel, c.User)
	l.checkAccount(c, "group", topLevel, c.Group)
}

// Bounds of durations.
const (
	tick = Duration(time.Millisecond)
	hour = Duration(time.Hour)
	day  = 24 * hour
	week = 7 * day
)

// within reports a value outside its bounds if the document sets it; defaults and inherited values are right or reported elsewhere.
func within[T interface {
	cmp.Ordered
	~int | ~int64
}](l *loader, owner any, key, where string, v, low, high T) {
	if l.sets(owner, key) && (v < low || v > high) {
		l.find(l.line(owner, key), "%s %s: %v is out of bounds; allowed is %v to %v", key, where, v, low, high)
	}
}

func (l *loader) checkLog(log *Log) {
	l.oneOf(log, "level", "in [log]", log.Level, LogDebug, LogInfo, LogWarn, LogError)
	l.oneOf(log, "format", "in [log]", log.Format, FormatCombined, FormatJSON)
}

// oneOf reports a word that is not one of the known ones.
func (l *loader) oneOf(owner any, key, where, word string, known ...string) {
	if !slices.Contains(known, word) {
		l.find(l.line(owner, key), "%s %s: %q is not one of %s%s", key, where, shorten(word), quotedList(known), didYouMean(word, known, ""))
	}
}

// checkAccount checks the form of a user's or group's name or number; whether it exists is seen at start.
func (l *loader) checkAccount(owner any, key, where, name string) {
	if strings.ContainsAny(name, " \t:/,") || hasControl(name) || strings.HasPrefix(name, "-") {
		l.find(l.line(owner, key), "%s %s: %q is not the name or number of a %s", key, where, shorten(name), key)
	}
}

// checkHTTP checks the settings of one level that are set there.
func (l *loader) checkHTTP(owner any, where string, h *HTTP) {
	// A larger body does not fit into one message to a worker.
	within(l, owner, "client_body_buffer_size", where, h.ClientBodyBufferSize, 1*KB, 64*KB)
	within(l, owner, "client_body_max_memory", where, h.ClientBodyMaxMemory, 0, 1*GB)
	within(l, owner, "client_header_timeout", where, h.ClientHeaderTimeout, tick, hour)
	within(l, owner, "client_body_timeout", where, h.ClientBodyTimeout, tick, day)
	within(l, owner, "send_timeout", where, h.SendTimeout, tick, day)
	within(l, owner, "keepalive_timeout", where, h.KeepaliveTimeout, 0, day)
	within(l, owner, "keepalive_requests", where, h.KeepaliveRequests, 1, maxCount)
	within(l, owner, "max_headers", where, h.MaxHeaders, 1, 1000)
	within(l, owner, "limit_conn_per_ip", where, h.LimitConnPerIP, 0, 1_000_000)
	within(l, owner, "uwsgi_connect_timeout", where, h.UWSGIConnectTimeout, tick, hour)
	within(l, owner, "uwsgi_read_timeout", where, h.UWSGIReadTimeout, tick, week)
	if l.sets(owner, "large_client_header_buffers") {
		l.checkHeaderBuffers(owner, where, h.LargeClientHeaderBuffers)
	}
}

func (l *loader) checkHeaderBuffers(owner any, where string, b HeaderBuffers) {
	const most = 64 * KB // of the variables in one uwsgi packet
	if b.Number < 1 || b.Number > 64 || b.Size < 1*KB || b.Size > most || b.Block() > most {
		l.find(l.line(owner, "large_client_header_buffers"),
			"large_client_header_buffers %s: %q: at least 1 buffer of 1k, at most 64k in all, which is what can be passed to an application; the default is %q",
			where, b, Default().HTTP.LargeClientHeaderBuffers)
	}
}

// checkPurpose reports a configuration that serves nobody.
func (l *loader) checkPurpose(c *Config) {
	if len(c.Servers) > 0 || l.failed(c, "server") || l.failed(c, "app") {
		return
	}
	names := sortedKeys(c.Apps)
	for _, name := range names {
		if c.Apps[name].Socket.Network != "" {
			return
		}
	}
	missing, add, app := "there is no [[server]], so that nothing listens", "", "blog"
	if len(names) == 0 {
		missing, add = "there is nothing to serve", "[app.blog]\nmodule = \"blog.wsgi:application\"\n\n"
	} else {
		app = names[0]
	}
	l.find(0, "%s; write for example\n\n%s[[server]]\nlisten = \"127.0.0.1:8000\"\n\n[[server.location]]\npath = \"/\"\npass = %s\n",
		missing, add, quote("app:"+app))
}

// quotedList returns `"a", "b" or "c"`.
func quotedList(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(w))
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
