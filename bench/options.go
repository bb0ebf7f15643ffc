package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"hognose/bench/peers"
)

// options are the command line.
type options struct {
	run       *regexp.Regexp // cases to run
	peers     []string       // names to measure; empty for all
	rounds    int
	duration  time.Duration
	threads   int
	accessLog bool
	hognose   string // binary, relative to the repository
	json      string // file for the results
	from      string // file with results to show instead of measuring
	write     bool
	install   bool
	list      bool
}

const usage = `Usage: go run ./bench [flags]

Measures hognose and its peers side by side and prints how they compare.

`

// parseOptions reads the flags. Its errors are the caller's mistakes.
func parseOptions(args []string, out io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage); flags.PrintDefaults() }
	pattern := flags.String("run", "", "cases to run: a regular `expression` for their names, see -list")
	names := flags.String("peers", "", "peers to measure, a comma-separated `list`; all by default")
	flags.IntVar(&opts.rounds, "rounds", 5, "how `many` times each peer is measured, in turns")
	flags.DurationVar(&opts.duration, "duration", 5*time.Second, "load per peer and round, in whole seconds")
	flags.IntVar(&opts.threads, "threads", runtime.NumCPU(), "threads of the load generator")
	flags.BoolVar(&opts.accessLog, "access-log", false, "let every peer write an access log")
	flags.StringVar(&opts.hognose, "hognose", "bin/hognose", "hognose `binary`")
	flags.StringVar(&opts.json, "json", "", "write all numbers of all rounds to this `file`")
	flags.StringVar(&opts.from, "from", "", "show the results in this JSON `file` instead of measuring")
	flags.BoolVar(&opts.write, "write", false, "write the results into docs/benchmarks.md")
	flags.BoolVar(&opts.install, "install", true, "install what is missing, as root on Debian and Ubuntu")
	flags.BoolVar(&opts.list, "list", false, "list cases and peers, then exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opts, err
		}
		return opts, usageError{err}
	}
	if err := opts.check(flags.Args(), *pattern, *names); err != nil {
		return opts, usageError{err}
	}
	return opts, nil
}

// check takes over what the flag package cannot judge.
func (o *options) check(rest []string, pattern, names string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q: choose cases with -run", rest[0])
	}
	var err error
	if o.run, err = regexp.Compile(pattern); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if o.rounds < 1 || o.threads < 1 {
		return errors.New("-rounds and -threads must be at least 1")
	}
	if o.duration < time.Second || o.duration%time.Second != 0 {
		return fmt.Errorf("-duration %s: want whole seconds, at least 1s", o.duration)
	}
	if names == "" {
		return nil
	}
	known := peerNames()
	for name := range strings.SplitSeq(names, ",") {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-peers: no peer %q, there are %s", name, strings.Join(known, ", "))
		}
		o.peers = append(o.peers, name)
	}
	return nil
}

// plan picks the cases to run and, in each, the peers to measure.
func (o options) plan() []scenario {
	var plan []scenario
	for _, s := range scenarios() {
		if !o.run.MatchString(s.name) {
			continue
		}
		s.peers = slices.DeleteFunc(slices.Clone(s.peers), func(name string) bool {
			return len(o.peers) > 0 && !slices.Contains(o.peers, name)
		})
		if len(s.peers) > 0 {
			plan = append(plan, s)
		}
	}
	return plan
}

func peerNames() []string {
	var names []string
	for _, p := range peers.All() {
		names = append(names, p.Name)
	}
	return names
}

// listCases writes what -run and -peers can choose from.
func listCases(w io.Writer, o options) error {
	var text strings.Builder
	text.WriteString("cases:\n")
	for _, s := range o.plan() {
		fmt.Fprintf(&text, "  %-14s %s\n  %14s (%s)\n", s.name, s.title, "", strings.Join(s.peers, ", "))
	}
	text.WriteString("peers:\n")
	for _, p := range peers.All() {
		fmt.Fprintf(&text, "  %-14s %s\n", p.Name, p.About)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
