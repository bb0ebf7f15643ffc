// Package errlog is the error log: what hognose says about itself, and what the
// applications print. On a terminal it is readable lines, elsewhere JSON (zerolog), one object per line.
//
// Master and front write to one file, each through a Log of its own; a line is one write(2) on a
// descriptor opened for appending, so that lines of the two never mix. The master opens the file, and opens it
// anew when it was rotated (nginx: the USR1 signal); the front is handed the descriptor.
//
// The package starts no goroutines. Lines and its methods run on the caller's.
package errlog
