package master

import (
	"os"
	"strings"
	"testing"
)

const fakeMasterEnv = "HOGNOSE_TEST_MASTER"

func fakeMaster() { os.Exit(98) }

func TestBoot(t *testing.T) {
	tr := start(t, twoApps)
	blog, api := tr.pids("blog"), tr.pids("api")
	if len(blog) != 2 || len(api) != 1 {
		t.Fatalf("workers: %v and %v; want 2 and 1", blog, api)
	}
	for range 5 {
		tr.answers("blog", blog...)
		tr.answers("api", api...)
	}
	told := strings.Fields(tr.read("told"))
	if len(told) == 0 {
		t.Error("the front was told nothing")
	}
	tr.waitLog("ready: http://unix:"+tr.path("http.sock")+" serving app api (1 worker), app blog (2 workers)", 1)
}
