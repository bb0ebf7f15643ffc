package main

import (
	"context"
	"time"

	"hognose/bench/peers"
	"hognose/bench/report"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// idleConnections is how many connections the idle case holds.
const idleConnections = 10_000

// scenario is one case: what is served, and how it is measured.
type scenario struct {
	name, title string
	peers       []string

	app     string // module:callable of bench/apps; empty for static files only
	workers int
	static  bool
	tls     bool

	path        string // requested, and checked before the load
	size        int    // bytes the answer must have
	upload      int    // bytes of the request's body, 0 for GET
	connections int

	// fresh restarts the peer for each round: memory it once used would hide
	// what the next round needs.
	fresh   bool
	columns []string
	ratios  []string
	measure func(context.Context, *runner, scenario, *peers.Server) (measurement, error)
}

// measurement is one sample and what went wrong while it was taken.
type measurement struct {
	sample   report.Sample
	failures []string
}

// Length of the answers of bench/apps.
const helloSize = len("Hello, World!\n")

func appPeers() []string {
	return []string{peers.Hognose, peers.NginxUWSGI, peers.NginxGunicorn, peers.NginxGranian, peers.Granian}
}

func staticPeers() []string {
	return []string{peers.Hognose, peers.Nginx, peers.NginxCache}
}

// scenarios returns every case, in the order they run.
func scenarios() []scenario {
	list := []scenario{
		appScenario("hello", "WSGI hello, 64 connections, 2 workers", "hello:application", 2),
		appScenario("hello_tls", "WSGI hello over TLS, 64 keep-alive connections, 2 workers", "hello:application", 2).withTLS(),
		appScenario("flask", "Flask hello, 64 connections, 4 workers", "flask_hello:app", 4),
		appScenario("django", "Django hello, 64 connections, 2 workers", "django_hello:application", 2),
		appScenario("body_10k", "Response of 10 KiB, 64 connections, 2 workers", "hello:application", 2).answering("/10k", 10*kib),
		appScenario("body_1m", "Response of 1 MiB, 16 connections, 2 workers", "hello:application", 2).answering("/1m", mib).over(16),
		appScenario("upload_1m", "Upload of 1 MiB, 16 connections, 2 workers", "hello:application", 2).uploading(mib).over(16),
		staticScenario("static_1k", "Static file of 1 KiB, 64 connections", kib),
		staticScenario("static_100k", "Static file of 100 KiB, 64 connections", 100*kib),
		handshakeScenario(),
		fairnessScenario(),
		idleScenario(),
		memoryScenario(),
	}
	return list
}

// appScenario loads an application as fast as it can answer.
func appScenario(name, title, app string, workers int) scenario {
	return scenario{
		name: name, title: title, peers: appPeers(), app: app, workers: workers,
		path: "/", size: helloSize, connections: 64,
		columns: []string{report.Rate, report.P50, report.P99, report.CPU, report.PSS},
		ratios:  []string{report.Rate, report.CPU, report.P99},
		measure: measureThroughput,
	}
}

func (s scenario) withTLS() scenario {
	s.tls = true
	return s
}

func (s scenario) answering(path string, size int) scenario {
	s.path, s.size = path, size
	return s
}

func (s scenario) over(connections int) scenario {
	s.connections = connections
	return s
}

// uploading posts to the path that answers with the length of what it read.
func (s scenario) uploading(size int) scenario {
	s.path, s.upload, s.size = "/upload", size, len(uploadAnswer(size))
	return s
}

func staticScenario(name, title string, size int) scenario {
	s := appScenario(name, title, "", 0)
	s.peers, s.static = staticPeers(), true
	return s.answering(staticPath(size), size)
}

// handshakeScenario makes a new TLS connection for each request of a small file.
func handshakeScenario() scenario {
	return scenario{
		name: "tls_handshake", title: "Full TLS 1.3 handshake (X25519, ECDSA P-256) and one static file of 1 KiB, 16 connections at a time",
		peers: []string{peers.Hognose, peers.Nginx}, static: true, tls: true,
		path: staticPath(kib), size: kib, connections: 16,
		columns: []string{report.Handshakes, report.P50, report.P99, report.HandshakeP},
		ratios:  []string{report.Handshakes, report.HandshakeP},
		measure: measureHandshakes,
	}
}

// Load of the fairness case: at 3,500 requests/s one in 1,500 is a slow request
// every 0.43 s, so that at most two of the four workers sleep at a time, and a
// fast request always finds a free worker.
const (
	fairnessRate  = 3500
	fairnessEvery = 1500
	fairnessLimit = 100 * time.Millisecond
)

func fairnessScenario() scenario {
	return scenario{
		name: "fairness", title: "Fairness: 4 workers, 32 connections, 3,500 requests/s, 1 in 1,500 sleeps 500 ms; the fast ones that wait",
		peers: appPeers(), app: "hello:application", workers: 4,
		path: "/", size: helloSize, connections: 32,
		columns: []string{report.Fast, report.Late, report.Starved, report.P50, report.P99, report.Longest},
		ratios:  []string{report.P99},
		measure: measureFairness,
	}
}

func idleScenario() scenario {
	return scenario{
		name: "idle", title: "Memory of the front for each of 10,000 idle keep-alive connections that made one request",
		peers: appPeers(), app: "hello:application", workers: 2, fresh: true,
		path: "/", size: helloSize, connections: 64,
		columns: []string{report.IdlePSS, report.IdleRSS, report.FrontPSS},
		ratios:  []string{report.IdlePSS},
		measure: measureIdle,
	}
}

func memoryScenario() scenario {
	return scenario{
		name: "memory", title: "Memory of Django with 4 workers, after load",
		peers: appPeers(), app: "django_hello:application", workers: 4, fresh: true,
		path: "/", size: helloSize, connections: 64,
		columns: []string{report.AppPSS, report.AppRSS, report.Processes, report.PSS},
		ratios:  []string{report.AppPSS, report.PSS},
		measure: measureMemory,
	}
}

// goals returns what hognose promises. For static files it is measured against the
// nginx that looks at a file as seldom as hognose does.
func goals() []report.Goal {
	return []report.Goal{
		{Case: "hello", Metric: report.CPU, Peer: peers.NginxUWSGI, Kind: report.AtMost, Limit: 0.55},
		{Case: "hello", Metric: report.Rate, Peer: peers.NginxUWSGI, Kind: report.AtLeast, Limit: 1.5},
		{Case: "hello", Metric: report.Rate, Peer: peers.Granian, Kind: report.AtLeast, Limit: 1},
		{Case: "flask", Metric: report.CPU, Peer: peers.NginxUWSGI, Kind: report.AtMost, Limit: 0.7},
		{Case: "flask", Metric: report.P99, Peer: peers.NginxUWSGI, Kind: report.AtMost, Limit: 1},
		{Case: "static_1k", Metric: report.Rate, Peer: peers.NginxCache, Kind: report.AtLeast, Limit: 0.9},
		{Case: "static_100k", Metric: report.Rate, Peer: peers.NginxCache, Kind: report.AtLeast, Limit: 0.85},
		{Case: "fairness", Metric: report.Starved, Kind: report.AtMost, Limit: 0},
		{Case: "fairness", Metric: report.Late, Peer: peers.NginxUWSGI, Kind: report.NotMore},
		{Case: "memory", Metric: report.AppPSS, Peer: peers.NginxUWSGI, Kind: report.AtMost, Limit: 1},
		{Case: "idle", Metric: report.IdlePSS, Kind: report.AtMost, Limit: 12},
	}
}
