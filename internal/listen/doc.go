// Package listen opens listening sockets: TCP as nginx does it, Unix sockets with owner and mode, and
// those that systemd has opened before (socket activation).
//
// Place in the flow: the master opens sockets from the configuration, keeps them for as long as the
// configuration names them, and hands copies to each front. It never accepts.
//
// Invariant: File returns a descriptor that is in blocking mode as far as package os knows, so that os.File.Fd, which
// sending it calls, leaves O_NONBLOCK alone. The flag belongs to the open socket, which master and front share.
//
// The package starts no goroutines. A Socket is used by one goroutine at a time.
package listen
