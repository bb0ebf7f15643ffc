// Bench measures hognose side by side with the servers it replaces, and reports
// how they compare. Run it from the repository with
//
//	go run ./bench
//
// It installs what it needs (as root on Debian and Ubuntu; otherwise it says
// what is missing), starts every peer of a case on loopback, and measures them
// in turns: all peers once, then all again, for several rounds. docs/benchmarks.md
// explains the results, and -write puts them there.
//
// The flow is main -> runner -> one measurement. Package peers starts and stops
// servers, load sends requests, proc reads what the servers cost, and report
// makes the tables. Everything runs one step after the other on the main
// goroutine, which stays on one thread, because the kernel ends the servers when
// the thread that started them dies. Whatever happens, interrupts included, all
// servers are stopped and the scratch directory is removed before main returns.
//
// Exit status: 0 when every request of every case was answered as expected, 1
// when not or when a measurement failed, 2 for wrong usage or missing programs,
// 130 after an interrupt.
package main
