package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

const versionHelp = `Print the version of hognose, of the sources it was built from, and of Go.

Usage:
  hognose version
`

// version prints the version.
func version(args []string, stdout, stderr io.Writer) int {
	f := newFlags("version", versionHelp)
	rest, code, done := f.parse(args, stdout, stderr)
	if done {
		return code
	}
	if len(rest) > 0 {
		return misused(stderr, "version", "%q is too much", rest[0])
	}
	fmt.Fprintf(stdout, "hognose %s (%s, %s/%s)\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}

// versionText is the version of the module, or the revision of the sources, as the Go toolchain recorded it.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-modified"
		}
	}
	if revision == "" {
		return "unknown"
	}
	return revision + dirty
}
