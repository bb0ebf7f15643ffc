package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hognose/bench/report"
)

// describeMachine gathers what a reader needs to judge the numbers. What cannot
// be found out is "unknown"; it must not stop a measurement.
func describeMachine(ctx context.Context, root, hognose string) report.Machine {
	return report.Machine{
		CPU:      cpuModel(readText("/proc/cpuinfo")),
		Cores:    runtime.NumCPU(),
		Memory:   memoryTotal(readText("/proc/meminfo")),
		System:   systemName(readText("/etc/os-release")),
		Kernel:   kernelRelease(),
		Versions: versions(ctx, root, hognose),
	}
}

const unknown = "unknown"

func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// cpuModel reads the first "model name" of /proc/cpuinfo.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// memoryTotal reads MemTotal of /proc/meminfo, in bytes.
func memoryTotal(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			size, _ := strconv.ParseInt(fields[1], 10, 64)
			return size * kib
		}
	}
	return 0
}

// systemName reads PRETTY_NAME of os-release(5).
func systemName(osRelease string) string {
	for line := range strings.Lines(osRelease) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return unknown
}

// kernelRelease is what uname -r prints, without the builder's own suffix.
func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return unknown
	}
	return firstVersion(unix.ByteSliceToString(name.Release[:]))
}

// versions asks each program that takes part for its version.
func versions(ctx context.Context, root, hognose string) []report.Version {
	bin := filepath.Join(venvPath(root), "bin")
	packages := func(name string) []string {
		return []string{filepath.Join(bin, "python"), "-c",
			"import sys; from importlib.metadata import version; print(version(sys.argv[1]))", name}
	}
	own, _ := exec.CommandContext(ctx, resolve(root, hognose), "version").Output()
	list := []report.Version{
		{Name: "hognose", Version: ownVersion(string(own))},
		{Name: "Go", Version: firstVersion(runtime.Version())},
	}
	for _, one := range []struct {
		name    string
		command []string
	}{
		{"nginx", []string{"nginx", "-v"}},
		{"uWSGI", []string{"uwsgi", "--version"}},
		{"Gunicorn", packages("gunicorn")},
		{"Granian", packages("granian")},
		{"CPython", []string{filepath.Join(bin, "python"), "--version"}},
		{"Flask", packages("flask")},
		{"Django", packages("django")},
		{"wrk", []string{"wrk", "-v"}},
	} {
		// wrk and others exit with an error after printing their version.
		out, _ := exec.CommandContext(ctx, one.command[0], one.command[1:]...).CombinedOutput()
		list = append(list, report.Version{Name: one.name, Version: firstVersion(string(out))})
	}
	return list
}

// ownVersion picks the version out of what "hognose version" prints: the word
// after the name, which may be a commit.
func ownVersion(text string) string {
	fields := strings.Fields(text)
	if len(fields) < 2 || fields[0] != "hognose" {
		return unknown
	}
	return fields[1]
}

// firstVersion picks the first thing that looks like a version out of a text.
func firstVersion(text string) string {
	version := regexp.MustCompile(`[0-9]+(\.[0-9]+)+`).FindString(text)
	if version == "" {
		return unknown
	}
	return version
}
