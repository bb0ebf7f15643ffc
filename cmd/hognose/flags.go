package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flags are the options of a command. Options may stand before and behind other arguments.
type flags struct {
	*flag.FlagSet
	command string
	help    string
}

func newFlags(command, help string) *flags {
	f := &flags{flag.NewFlagSet(command, flag.ContinueOnError), command, help}
	f.SetOutput(io.Discard)
	return f
}

// parse reads a command line and returns the arguments that are no options. When done is true, the
// command is to end with code.
func (f *flags) parse(args []string, stdout, stderr io.Writer) (rest []string, code int, done bool) {
	for {
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, f.help)
			return nil, exitOK, true
		}
		if err != nil {
			return nil, misused(stderr, f.command, "%s", withTwoDashes(err.Error())), true
		}
		if f.NArg() == 0 {
			return rest, 0, false
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// withTwoDashes writes long options in messages of package flag as people write them: "--bind", not "-bind".
func withTwoDashes(message string) string {
	words := strings.Split(message, " ")
	for i, word := range words {
		name := strings.TrimRight(word, ":,")
		if len(name) > 2 && name[0] == '-' && name[1] != '-' {
			words[i] = "-" + word
		}
	}
	return strings.Join(words, " ")
}

// list is an option that may be given several times.
type list []string

// String is of flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set is of flag.Value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}
