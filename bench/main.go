package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"hognose/bench/peers"
	"hognose/bench/report"
)

// base is the peer that all others are compared with.
const base = peers.Hognose

// Exit statuses beyond 0.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	// The kernel ends a server when the thread that started it dies.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// usageError is a mistake of the caller, or something missing on the machine.
type usageError struct{ error }

func run(ctx context.Context, args []string) int {
	err := bench(ctx, args)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitUsage
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitFailure
	}
}

// bench is the whole program: what to run, on what, and where the results go.
func bench(ctx context.Context, args []string) error {
	opts, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	root, err := repository()
	if err != nil {
		return usageError{err}
	}
	if opts.list {
		return listCases(os.Stdout, opts)
	}
	found, err := results(ctx, opts, root)
	if err != nil {
		return err
	}
	if err := publish(found, opts, root); err != nil {
		return err
	}
	if found.Failed() {
		return errors.New("some requests were not answered as expected, see FAILED above")
	}
	return nil
}

// results measures, or reads what an earlier run measured.
func results(ctx context.Context, opts options, root string) (report.Run, error) {
	if opts.from != "" {
		return readJSON(opts.from)
	}
	if err := prepareProcess(); err != nil {
		return report.Run{}, err
	}
	plan := opts.plan()
	if err := install(ctx, root, plan, opts); err != nil {
		return report.Run{}, err
	}
	r, err := newRunner(opts, root)
	if err != nil {
		return report.Run{}, err
	}
	defer r.close()
	return r.run(ctx, plan)
}

// prepareProcess sets what the servers inherit, and who adopts their orphans.
func prepareProcess() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("cannot read the limit of open files: %w", err)
	}
	// Go raises its own limit and gives children the old one, unless the limit is
	// set on purpose. Every server gets the most there is.
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Cur, Max: limit.Max}); err != nil {
		return fmt.Errorf("cannot raise the limit of open files to %d: %w", limit.Max, err)
	}
	if limit.Max < 2*idleConnections {
		return usageError{fmt.Errorf("the limit of open files is %d, and %d are needed: raise it with \"ulimit -Hn %d\"",
			limit.Max, 2*idleConnections, 2*idleConnections)}
	}
	// Debian keeps nginx where only root's PATH looks.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become the reaper of orphans: %w", err)
	}
	return nil
}
