// Package uwsgi is the public uwsgi protocol: the packet that carries a request's
// variables, and the one place that builds those variables from an exchange.
//
// A packet is a 4-byte header (modifier1, 16-bit little-endian size of what follows, modifier2)
// and a block of variables, each a 16-bit length and a key, a 16-bit length
// and a value. The body follows outside the packet, CONTENT_LENGTH bytes of it.
//
// Place in the flow: pyhost puts packets on its queue, upstream sends them to other
// people's servers, proxy reads them from other people's clients. Functions here
// are pure, over bytes, and safe for concurrent use; the package starts no goroutines.
//
// Invariants: a packet that AppendPacket made is read back by Parse as it was;
// a packet that Parse refuses is refused whole. Keys that start with UWSGI_ are
// refused in both directions: in uWSGI they load files and code.
package uwsgi
