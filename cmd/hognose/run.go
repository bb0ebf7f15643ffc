package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"hognose/internal/config"
	"hognose/internal/master"
	"hognose/pyhost/python"
	"hognose/pyhost/worker"
)

const runHelp = `Serve websites, in the foreground, until a signal says to stop.

Usage:
  hognose run [-c FILE]
  hognose run MODULE[:CALLABLE] [options]

With a configuration:
  -c FILE              configuration (default: hognose.toml here, else
                       /etc/hognose/hognose.toml)

Without one, for a WSGI application such as "app:app" or "mysite.wsgi":
  --bind ADDR          listen on HOST:PORT, :PORT or unix:/PATH; may be repeated
                       (default 127.0.0.1:8000)
  --processes N        worker processes (default 1)
  --threads N          threads of each (default 1)
  --chdir DIR          directory of the application (default: this one)
  --home VENV          virtualenv (default: the python3 of PATH)
  --env NAME=VALUE     environment variable; may be repeated. The application
                       has those of this shell, too
  --static /URL=DIR    serve the files of DIR below /URL; may be repeated

Signals:
  SIGTERM, SIGINT, SIGQUIT  stop: requests that run may finish, for
                            worker_shutdown_timeout; a second one stops at once
  SIGHUP                    reload: read the configuration anew, import the
                            applications anew, move over when they are ready.
                            An error changes nothing
  SIGUSR1                   reopen the logs, after they were rotated

Under systemd, use Type=notify-reload; sockets of socket units are used when
a listen names the same address.

Exit codes: 0 stopped by a signal, 1 failure, 2 wrong usage or configuration.
`

// run serves until it is told to stop.
func run(args []string, stdout, stderr io.Writer) int {
	f := newFlags("run", runHelp)
	file := f.String("c", "", "")
	app := appFlags(f)
	rest, code, done := f.parse(args, stdout, stderr)
	switch {
	case done:
		return code
	case len(rest) > 1:
		return misused(stderr, "run", "one application at a time: %q is too much", rest[1])
	case len(rest) == 1 && *file != "":
		return misused(stderr, "run", "%q and -c %q are two ways to say what to serve; keep one", rest[0], *file)
	case len(rest) == 1:
		app.Module = rest[0]
		return serve(master.Options{Load: app.load}, stderr)
	case app.given(f):
		return misused(stderr, "run", "MODULE:CALLABLE is missing; options such as --bind belong to it, a configuration has words of its own")
	}
	path, err := configFile(*file)
	if err != nil {
		return misused(stderr, "run", "%v", err)
	}
	return serve(master.Options{Load: func() (*config.Config, error) { return loadConfig(path) }}, stderr)
}

// serve runs the master.
func serve(opt master.Options, stderr io.Writer) int {
	// Before anything is loaded: a signal that comes early is not lost.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, master.Signals()...)
	defer signal.Stop(signals)
	worker.SetTitle("hognose: master")
	// The master holds private keys: no other process of its user may look into its memory.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintf(stderr, "hognose: cannot protect the master's memory: %v\n", err)
		return exitFailure
	}
	opt.Version = versionText()
	opt.Prepare = prepare
	err := master.New(opt).Run(signals)
	if err != nil {
		fmt.Fprintf(stderr, "hognose: %v\n", err)
	}
	return exitCode(err)
}

// prepare finds the interpreter of an application and says how it starts.
func prepare(app *config.App, as *syscall.Credential) (master.Launch, error) {
	interpreter, err := python.Find(app.Python, as)
	if err != nil {
		return master.Launch{}, err
	}
	settings := python.Settings{
		App: app.Name, Interpreter: interpreter, Module: app.Module, WSGIFile: app.WSGIFile, Callable: app.Callable,
		Pythonpath: app.PythonPath, Processes: app.Processes, Threads: app.Threads,
	}
	if app.Umask != nil {
		umask := int(*app.Umask)
		settings.Umask = &umask
	}
	return master.Launch{Settings: settings.Memfd}, nil
}
