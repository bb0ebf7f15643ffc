// Package deploy is how hognose is put on machines: a systemd unit, a logrotate file, container images, Compose and
// Kubernetes files, described in README.md. Nothing of it is in the binary; the package's tests hold the
// files against each other, against the configurations they name, and against the real process tree.
//
// The package has no code, starts no goroutines and has no invariants but those of its tests.
package deploy
