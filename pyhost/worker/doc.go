// Package worker is the C half of application hosting: the zygote that imports an application, the workers
// that serve it, and the constructor that turns a process of hognose into one of them.
//
// Place in the flow: the master starts its own executable with Role in the environment and
// the descriptors 3 to 6 of wire.h. The constructor runs before the Go runtime, which in that process never starts:
//
//	main.c       constructor: titles; settings, libpython, Py_BytesMain
//	py_api       CPython's API by dlsym: one build for every version
//	module       the built-in module _hognose, for package python's bootstrap.py
//	zygote       orders of the master: fork a worker, stop
//	worker       threads: receive a request, find its front's stream, serve, again
//	overseer     the worker's native thread: orders of the master, notes of the fronts
//	message      a queue message and the uwsgi packet in it, taken apart
//	environ      the environ of a request
//	keys         what requests have in common: keys, values that repeat
//	input        wsgi.input
//	start        start_response and write
//	wsgi         one request: the application, its iterable, close()
//	head         the response head, checked and encoded
//	response     frames: Content-Length, windows, files
//	stream       the sockets to the fronts; frames are written whole
//	control      messages on the control sockets
//	scoreboard   the slots of the threads in shared memory
//
// wire.h is what Go and C agree on; package internal/wire is its Go half.
//
// Who holds the GIL: whatever touches a PyObject. A thread tries to receive and to send without waiting first and keeps the
// GIL; only when it must wait does it let go of it. Locks are waited for without the GIL, or are held so
// shortly that it does not matter (hg_thread.lock), and the GIL is never taken under a lock. The overseer
// never takes it.
//
// Threads of a worker: the Python threads end with a stop order, the overseer with the process. The package starts no
// goroutines.
//
// Invariants: a frame is never torn; close() of a response is called exactly once; nothing that comes through a socket ends
// a process, except the master's orders and its death.
package worker

// Role is the environment variable that makes a process of hognose a zygote when it is RolePython.
const (
	Role       = "HOGNOSE_ROLE"
	RolePython = "python"
)
