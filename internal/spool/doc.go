// Package spool keeps bytes that arrive at another speed than they leave: request
// bodies of slow clients (Body) and responses for slow readers (Queue), so that
// neither holds a Python worker.
//
// Both begin in memory and go on in a file without a name, an O_TMPFILE in the configured
// directory (nginx: client_body_temp_path, uwsgi_temp_path), which vanishes with its last descriptor. A full disk is an error for a Body (507) and a reason to wait for a Queue.
//
// A Body has one owner. A Queue is used by one writer and one reader under the caller's lock.
// The package starts no goroutines.
package spool
