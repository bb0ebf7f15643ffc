package main

import "testing"

func TestMachineParsers(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: AMD EPYC 9: fast\nmodel name\t: other\n"); got != "AMD EPYC 9: fast" {
		t.Errorf("CPU model: got %q", got)
	}
	if got := cpuModel("Processor\t: ARM\n"); got != unknown {
		t.Errorf("CPU model of a machine without one: got %q", got)
	}
	if got := memoryTotal("MemFree: 5 kB\nMemTotal:       2048 kB\n"); got != 2*mib {
		t.Errorf("memory: got %d", got)
	}
	if got := memoryTotal(""); got != 0 {
		t.Errorf("memory of an empty file: got %d", got)
	}
	if got := systemName("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"); got != "Debian GNU/Linux 12 (bookworm)" {
		t.Errorf("system: got %q", got)
	}
	if got := systemName(""); got != unknown {
		t.Errorf("system of an empty file: got %q", got)
	}
}

func TestOwnVersion(t *testing.T) {
	for text, want := range map[string]string{
		"hognose v0.1.0 (go1.26.8 linux/amd64)\n": "v0.1.0",
		"hognose 1a2b3c4\n":                       "1a2b3c4",
		"hognose\n":                               unknown,
		"":                                        unknown,
	} {
		if got := ownVersion(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestFirstVersion(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := firstVersion(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("nginx version: nginx/1.22.1\n", "1.22.1")
	f("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012", "4.1.0")
	f("Python 3.11.2\n", "3.11.2")
	f("go1.26.8", "1.26.8")
	f("6.1.0-18-amd64", "6.1.0")
	f("", unknown)
	f("command not found", unknown)
}
