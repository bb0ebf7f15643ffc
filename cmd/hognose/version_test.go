package main

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOf(t *testing.T) {
	f := func(linked, module, revision, modified, want string) {
		t.Helper()
		info := &debug.BuildInfo{Main: debug.Module{Version: module}}
		if revision != "" {
			info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
		}
		if got := versionOf(linked, info); got != want {
			t.Errorf("linked %q, module %q, revision %q: %q; want %q", linked, module, revision, got, want)
		}
	}
	const revision = "0123456789abcdef0123456789abcdef01234567"
	f("v1.2-3-gabc", "(devel)", revision, "true", "v1.2-3-gabc")
	f("", "v1.2.3", revision, "false", "v1.2.3")
	f("", "(devel)", revision, "false", "0123456789ab")
	f("", "", revision, "true", "0123456789ab-dirty")
	f("", "(devel)", "abc", "false", "abc")
	f("", "(devel)", "", "", "devel")
}

func TestVersionCommand(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := version(nil, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
	if want := "hognose " + versionText() + " (go"; !strings.HasPrefix(stdout.String(), want) || strings.Count(stdout.String(), "\n") != 1 {
		t.Errorf("got %q; want one line that begins with %q", stdout.String(), want)
	}
	if code := version([]string{"twice"}, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "twice") {
		t.Errorf("exit code %d, %q; want the superfluous word named", code, stderr.String())
	}
}
