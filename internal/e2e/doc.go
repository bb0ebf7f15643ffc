// Package e2e tests the whole of hognose from outside: the real binary, started with real config
// files, real Python applications behind it, and real clients before it (curl, nginx,
// uWSGI, Chromium, raw sockets). Only tests live here.
//
// Every server of a test runs in a session of its own, on free loopback ports, with its
// files in a scratch directory. When the test ends the server is stopped by SIGTERM;
// it must exit 0, leave no process behind, and have logged no Go panic or data race.
//
// HOGNOSE_BIN names a binary to test instead of building one; HOGNOSE_RACE=1 builds it with
// the race detector. PYTHON names the interpreter of the test applications (default python3).
//
// Nothing here waits for time to pass: tests poll with a deadline, or hand
// signs to the applications through files (see testdata/apps/sign.py).
package e2e
