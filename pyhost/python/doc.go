// Package python holds what runs in the interpreters of applications and what the
// master must know of an interpreter before it starts one.
//
// Place in the flow: the master asks Find once per app, puts the answer and Bootstrap into
// the settings of the app's zygote (see Settings), and starts that. The C half in package worker runs Bootstrap.
//
// Goroutines: none. Find waits for the interpreter it asks, at most FindTimeout.
package python
