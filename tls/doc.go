// Package tls chooses the certificate of each TLS connection.
//
// Place in the flow: the master reads the PEM files, which only it may be allowed to; the front
// hands their bytes to a Store, and the Store's Config to its listeners. The standard library's package is
// imported as ctls, here and everywhere.
//
// A certificate is found by the name that the client asks for (SNI, RFC 6066 section 3): first by exact name, then by the longest
// wildcard, "*.example.com", which stands for any number of labels, as in nginx's server_name. A client that names
// nothing, or a name that nobody has, gets the listener's default certificate. Several
// certificates of one name are offered in the order ECDSA, Ed25519, RSA: the first that the client can verify.
//
// The profile is modern: TLS 1.2 and 1.3, forward secrecy and authenticated encryption only, curves and
// their order as in the standard library, which includes post-quantum key agreement. Session tickets are on; their keys live in the Config
// and are rotated daily by the standard library, so they survive Update. There is no early data: it can be replayed.
//
// Invariants: what connections see is one immutable table behind an atomic pointer. Update replaces it as a whole or, on
// an error, not at all; open connections never notice. All methods may be called concurrently. The package starts no goroutines.
package tls
