package main

import (
	"fmt"
	"io"
)

const checkHelp = `Check a configuration: all that is wrong with it, with file and line.

Usage:
  hognose check [-c FILE] [--print]

  -c FILE   configuration (default: hognose.toml here, else
            /etc/hognose/hognose.toml)
  --print   print all that is in force, defaults included, as a
            configuration. Values of env are among it, secrets too

Only the file is looked at; whether users, certificates and Python
interpreters exist is seen by "hognose run" and by a reload, which change
nothing when one does not.

Exit codes: 0 fit for use, 1 failure, 2 wrong usage or configuration.
`

// check says what is wrong with a configuration.
func check(args []string, stdout, stderr io.Writer) int {
	f := newFlags("check", checkHelp)
	file := f.String("c", "", "")
	show := f.Bool("print", false, "")
	rest, code, done := f.parse(args, stdout, stderr)
	if done {
		return code
	}
	if len(rest) > 0 {
		return misused(stderr, "check", "%q is too much; a configuration is named with -c", rest[0])
	}
	path, err := configFile(*file)
	if err != nil {
		return misused(stderr, "check", "%v", err)
	}
	cfg, err := loadConfig(path)
	if err != nil {
		fmt.Fprintf(stderr, "hognose: %v\n", err)
		return exitCode(err)
	}
	if !*show {
		fmt.Fprintf(stdout, "%s: fit for use\n", path)
		return exitOK
	}
	if err := cfg.Print(stdout); err != nil {
		fmt.Fprintf(stderr, "hognose: cannot print the configuration: %v\n", err)
		return exitFailure
	}
	return exitOK
}
