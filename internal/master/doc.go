// Package master is the root of the process tree. It opens the listening sockets, reads certificates and
// keys, starts the front and one zygote per application, orders workers from the zygotes, replaces
// whatever dies, and carries out stop and reload. It parses nothing that comes from a network.
//
//	master ─── Conn (JSON, descriptors) ─────────────── front
//	   │ └──── control ──── zygote of app blog            ▲
//	   └────── control ──── worker 1 of app blog ─stream──┘
//
// What the front is told, always in this order: logs, config, then for each application app, worker (one per living
// worker), activate, and at last listeners, with which it begins to serve and answers ready. Workers that
// are forked later are announced when they have a pid. The config says which front it goes to: workers select
// by that number the stream on which they answer.
//
// # Rollout
//
// Start and reload are the same thing, a rollout of a configuration:
//
//	loading ──► warming ──► applying ──► done
//	   │           │            └─ the front takes the new routes (at start: is started)
//	   │           └─ each application has a new generation: zygote imports, workers become ready
//	   └─ configuration, certificates, users, interpreters, listening sockets
//
// Whatever fails before "applying" is over leaves everything as it was, with one exception: when only the
// new code of an application that serves already cannot be started, that application keeps
// its old generation and the rest goes on. At start every failure ends the master.
//
// # Generation
//
//	importing ──► warming ──► warm ──► active ──► draining ──► stopping ──► gone
//	    └────────────┴──────────┴──── (failed, given up) ─────────┘
//
// A generation is one zygote with its workers, its queue and its scoreboard. The old one drains while the new one serves: the
// front takes back from its queue what no worker has received; it stops when the front says that none of its requests is
// under way, and is killed after reload_mercy. Meanwhile it gets no new workers. When a zygote dies its workers serve on
// until a new generation replaces them.
//
// # Worker
//
//	vacant ──► forking ──► starting ──► ready ──► stopping ──► vacant
//	   ▲                      └───────────┴─ (died) ─► waiting ──┘ forking again, after a pause if it keeps dying
//
// # Goroutines
//
// One goroutine, Run's, owns all state; it is locked to its thread, because the kernel ties the death signal of a child to
// the thread that started it. The others only wait for something and post what came as a function to Run: one reader
// and one writer for the front, one reader per control socket, one per log pipe, one while a configuration is being loaded.
// All of them end before Run returns.
//
// # Children
//
// Run reaps by pid: first what it knows, then orphans of applications, which come to the master because it is their
// subreaper. While the configuration is being loaded, other code may wait for children of its own, and orphans wait.
package master
