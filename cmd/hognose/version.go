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

// linked is the version that the Makefile has the linker put in: "git describe" knows tags, and the toolchain's
// own record of the sources may be switched off (-buildvcs=false). Nothing else sets it.
var linked string

// versionText is how the binary names itself.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(linked, info)
}

// versionOf takes the best name that there is: the linked one, the version of the module, or the revision of the
// sources. Without any of them it is a development build.
func versionOf(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	if revision == "" {
		return "devel"
	}
	return revision + modified
}
