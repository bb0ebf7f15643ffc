package proc

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestDescend(t *testing.T) {
	all := []Stat{
		{PID: 1}, {PID: 10, Parent: 1}, {PID: 12, Parent: 11}, {PID: 11, Parent: 10},
		{PID: 20, Parent: 1}, {PID: 13, Parent: 11},
	}
	var got []int
	for _, stat := range descend(all, 10) {
		got = append(got, stat.PID)
	}
	if want := []int{10, 11, 12, 13}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := descend(all, 99); len(got) != 0 {
		t.Errorf("tree of a process that is not there: got %v, want none", got)
	}
}

// child starts a shell that waits for its standard input to close.
func child(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read line; :")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	return cmd
}

func TestTreeSeesChildren(t *testing.T) {
	cmd := child(t)
	tree, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(tree, func(s Stat) bool { return s.PID == cmd.Process.Pid }) {
		t.Errorf("tree %v lacks child %d", tree, cmd.Process.Pid)
	}
	if got := Title(cmd.Process.Pid); !strings.Contains(got, "read line") {
		t.Errorf("title of the child: got %q, want its command line", got)
	}
}
