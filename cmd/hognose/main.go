// Command hognose serves websites: it is web server and application server in one process tree.
// See internal/master for the tree, proxy for the front, pyhost/worker for the Python processes.
package main

import (
	"fmt"
	"io"
	"os"

	"hognose/internal/master"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // command line or configuration
)

func main() {
	// A process with the role of Python never gets here: see pyhost/worker.
	if os.Getenv(master.RoleEnv) == master.RoleFront {
		os.Exit(frontMain())
	}
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

const usage = `hognose serves websites: web server and application server in one process tree.

Usage:
  hognose run [-c FILE]              serve what a configuration says
  hognose run MODULE:CALLABLE [...]  serve one Python application, without a configuration
  hognose check [-c FILE] [--print]  check a configuration, print all that is in force
  hognose version                    print the version

"hognose COMMAND -h" says more about a command.

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.
`

// command runs a command line and returns its exit code.
func command(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "run":
		return run(args[1:], stdout, stderr)
	case "check":
		return check(args[1:], stdout, stderr)
	case "version":
		return version(args[1:], stdout, stderr)
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return exitOK
	case "-v", "-V", "-version", "--version":
		return version(nil, stdout, stderr)
	}
	fmt.Fprintf(stderr, "hognose: unknown command %q; commands are run, check and version (hognose -h)\n", args[0])
	return exitUsage
}

// misused reports wrong usage of a command.
func misused(stderr io.Writer, command, format string, args ...any) int {
	fmt.Fprintf(stderr, "hognose %s: %s (hognose %s -h)\n", command, fmt.Sprintf(format, args...), command)
	return exitUsage
}
