// Package pyhost is the front's side of the Python applications: it puts requests on the
// queue of an application, reads the response streams of its workers, and sees to
// it that no request is lost silently. The Python side is pyhost/worker.
//
// Place in the flow: proxy's router calls Pool.Serve on the goroutine of a connection;
// the master's messages arrive through AddGeneration, AddWorker, Activate and Retire.
//
//	Serve ──► dispatch ──► queue of the active generation (SOCK_SEQPACKET) ──► any free worker thread
//	  ▲                                                                             │
//	  └── call ◄── stream reader, one goroutine per worker process ◄── frames ◄─────┘
//
// States of a call: waiting (in the front, when enough requests are ahead of the workers),
// sent (in the kernel's queue or in a worker), then answered by frames until one has FIN. A call whose client
// left stays in the table, abandoned, until its worker has finished with it: it still takes a worker's time.
//
// Goroutines: one reader per stream, ended by the stream's end; one ticker per Pool for deadlines
// and lost requests, ended by Close.
//
// Invariants: ids grow in the order in which messages enter a queue, so a request that is older than the oldest
// in the queue, and that no living worker holds, was lost with its worker.
package pyhost
