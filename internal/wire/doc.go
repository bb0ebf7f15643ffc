// Package wire is the private wire between the processes of one tree: the Go half of
// pyhost/worker/wire.h, where each channel and each field is described. Its tests
// compare the constants of the two.
//
//	queue       Request     front to workers: one SOCK_SEQPACKET message per request
//	stream      Frame       worker to front: response heads, body pieces, files
//	            Note        front to worker: windows and cancellations
//	control     Control     master and zygote, master and worker
//	messages    Conn        master and front: JSON with descriptors
//	scoreboard  Board       memory shared by master, front and workers
//
// The codecs are pure functions over bytes and safe for concurrent use; Conn and Board say their
// own rules. The package starts no goroutines.
//
// Invariant: decoders trust nothing. A worker runs the user's code, so what it sends
// to the front is parsed as if a stranger had sent it: lengths are
// bounded before they are used, and a stream with one bad frame is closed.
package wire
