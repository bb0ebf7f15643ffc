// Package load sends requests to a server under test and reports what a client
// saw: how many answers, how late, and every error. wrk drives the throughput
// cases; this package's own clients drive those that wrk cannot measure: single
// late requests (Fairness), idle connections (Idle) and full TLS handshakes
// (Handshakes).
//
// Every client returns when its time is up or its context ends, and leaves no
// goroutine behind. A client that cannot work at all returns an error; what went
// wrong with single requests is counted in Result.Failures, because one failed
// request must fail the measurement, not hide it.
package load
