// Package proc reads what a tree of processes costs: CPU time, memory, and who
// is in it. It is the measuring side of the benchmarks; it starts nothing and
// has no goroutines.
//
// CPU time is the sum over the tree of two parts:
//
//   - each live process's own clock, read with clock_gettime(2) on the
//     process's CPU clock. It counts nanoseconds and includes threads that have
//     exited, where utime and stime of /proc/PID/stat count whole ticks of 10 ms.
//   - cutime and cstime of /proc/PID/stat, which hold the time of children that
//     exited and were reaped by their parent.
//
// A process that exits without being reaped inside the tree takes its time with
// it, so a caller compares the process lists of two readings.
package proc
