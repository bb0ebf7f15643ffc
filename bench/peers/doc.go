// Package peers starts and stops the servers that are measured: hognose and
// what it is compared with. Each peer is one file, and its configuration is a
// template beside it, so that a reader can check that the comparison is fair:
//
//	nginx.conf         nginx, alone for static files or in front of an app server
//	uwsgi.ini          uWSGI behind nginx
//	gunicorn.conf.py   Gunicorn behind nginx
//	granian.args       Granian, behind nginx or alone
//	hognose.toml       hognose
//
// All peers get the same Site: the same application code, virtual environment,
// number of workers and cores, and directory of static files.
//
// A Server is one running peer. Its processes are children of the caller, each
// with a log file in the site's directory; one goroutine per process waits for
// its end and is gone after Stop. The kernel ends the processes if the caller
// dies without calling Stop, provided that Start is called on a goroutine locked
// to a thread that lives as long as the caller (the parent death signal belongs
// to the thread that started the child).
package peers
