// Package exchange holds the one type that every part of the front works on:
// an HTTP request and the response that answers it, independent of the version
// of HTTP (or of the uwsgi protocol) that carried it.
//
// Place in the flow: a protocol loop in package proxy reads a request, the guard
// validates it and fills an Exchange, the router picks a Handler, the handler
// fills Exchange.Response, the protocol loop writes it. The package imports
// nothing of ours, so that proxy, staticfs, upstream and pyhost can meet in it
// without knowing each other.
//
// Ownership: the protocol loop owns the Exchange and everything reachable from
// its request half; it is valid until the handler has returned and the response
// has been written. A handler that keeps bytes for longer copies them. The
// response half belongs to the handler until Response.Owner is closed.
//
// The package starts no goroutines.
package exchange
