package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"hognose/bench/peers"
)

// systemPython is the interpreter of every peer: Debian's uWSGI plugin is built
// for it, and the virtual environment is made from it.
const systemPython = "/usr/bin/python3"

// requirement is something of the system that must be there.
type requirement struct {
	what    string // for people
	pkg     string // Debian's and Ubuntu's package
	present func() bool
}

// install makes sure that everything the plan needs is there, or says what is
// missing and how to get it.
func install(ctx context.Context, root string, plan []scenario, opts options) error {
	if err := checkBinary(resolve(root, opts.hognose), plan); err != nil {
		return err
	}
	if err := installPackages(ctx, missing(requirements(plan)), opts.install); err != nil {
		return err
	}
	if !slices.ContainsFunc(plan, func(s scenario) bool { return s.app != "" }) {
		return nil
	}
	return installVenv(ctx, root, opts.install)
}

// requirements returns the programs that the plan runs.
func requirements(plan []scenario) []requirement {
	used := make(map[string]bool)
	for _, peer := range peers.All() {
		for _, s := range plan {
			if slices.Contains(s.peers, peer.Name) {
				for _, program := range peer.Needs {
					used[program] = true
				}
				used["python"] = used["python"] || s.app != ""
			}
		}
	}
	list := []requirement{{"wrk", "wrk", isProgram("wrk")}}
	if used["nginx"] {
		list = append(list, requirement{"nginx", "nginx", isProgram("nginx")})
	}
	if used["uwsgi"] {
		list = append(list, requirement{"uwsgi", "uwsgi-core", isProgram("uwsgi")},
			requirement{"uWSGI's plugin python3", "uwsgi-plugin-python3", succeeds("uwsgi", "--plugin", "python3", "--version")})
	}
	if used["python"] {
		list = append(list, requirement{systemPython + " with venv", "python3-venv", succeeds(systemPython, "-c", "import venv, ensurepip")})
	}
	return list
}

func isProgram(name string) func() bool {
	return func() bool { _, err := exec.LookPath(name); return err == nil }
}

func succeeds(name string, args ...string) func() bool {
	return func() bool { return exec.Command(name, args...).Run() == nil }
}

func missing(list []requirement) []requirement {
	return slices.DeleteFunc(list, func(r requirement) bool { return r.present() })
}

// installPackages installs what is missing, as root on a system with apt-get.
func installPackages(ctx context.Context, list []requirement, allowed bool) error {
	if len(list) == 0 {
		return nil
	}
	var names, packages []string
	for _, r := range list {
		names, packages = append(names, r.what), append(packages, r.pkg)
	}
	command := "apt-get install --no-install-recommends " + strings.Join(packages, " ")
	if !allowed || os.Geteuid() != 0 || !isProgram("apt-get")() {
		return usageError{fmt.Errorf("missing: %s. As root on Debian or Ubuntu: %s", strings.Join(names, ", "), command)}
	}
	if err := show(ctx, "apt-get", "update", "-q"); err != nil {
		return err
	}
	args := append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...)
	if err := show(ctx, "apt-get", args...); err != nil {
		return err
	}
	if slices.Contains(packages, "nginx") {
		// The package starts a server on port 80, which nobody asked for. Without an
		// init system there is nothing to stop, and the command fails.
		_ = show(ctx, "invoke-rc.d", "nginx", "stop")
	}
	if left := missing(list); len(left) > 0 {
		return usageError{fmt.Errorf("%s is still missing after %q", left[0].what, command)}
	}
	return nil
}

// installVenv makes the virtual environment, or brings it up to date with
// bench/requirements.txt.
func installVenv(ctx context.Context, root string, allowed bool) error {
	venv, list := venvPath(root), resolve(root, "bench/requirements.txt")
	pip := venv + "/bin/pip"
	satisfied := succeeds(venv+"/bin/python", "-c", checkRequirements, list)
	if satisfied() {
		return nil
	}
	if !allowed {
		return usageError{fmt.Errorf("%s lacks what is in bench/requirements.txt: run without -install=false", venv)}
	}
	if err := show(ctx, systemPython, "-m", "venv", venv); err != nil {
		return err
	}
	if err := show(ctx, pip, "install", "--quiet", "--disable-pip-version-check", "-r", list); err != nil {
		return err
	}
	if !satisfied() {
		return fmt.Errorf("%s does not hold what is in %s after installing it", venv, list)
	}
	return nil
}

// checkRequirements fails unless each NAME==VERSION line of the file is
// installed in exactly that version.
const checkRequirements = `
import sys
from importlib.metadata import version
for line in open(sys.argv[1]):
    line = line.split("#")[0].strip()
    if line:
        name, wanted = line.split("==")
        assert version(name) == wanted, line
`

// checkBinary tells whether hognose is there, if the plan wants it.
func checkBinary(binary string, plan []scenario) error {
	wanted := slices.ContainsFunc(plan, func(s scenario) bool { return slices.Contains(s.peers, peers.Hognose) })
	if wanted && !isProgram(binary)() {
		return usageError{fmt.Errorf("no program at %q: build it with \"make build\", name another with -hognose, or leave hognose out with -peers", binary)}
	}
	return nil
}

// show runs a command whose output the user sees.
func show(ctx context.Context, name string, args ...string) error {
	fmt.Fprintln(os.Stderr, "+", name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive") // no questions from packages
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
