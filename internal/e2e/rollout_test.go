package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// slowImport is an application whose import waits for a sign, from its second release on.
const slowImport = "import sign\nVERSION = %\nsign.append('importing', str(VERSION))\nif VERSION > 1:\n    sign.wait('import-%')\n" +
	"def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'version %']\n"

func startSlowImport(t *testing.T) *server {
	t.Helper()
	v := newVariables(t)
	v.writeFile("versions.py", release(1))
	config := strings.Replace(site{module: "versions:app", app: `pythonpath = ["$APPS"]`}.String(), `chdir = "$APPS"`, `chdir = "$DIR"`, 1)
	return startWith(t, v, config)
}

func release(n int) string { return strings.ReplaceAll(slowImport, "%", itoa(n)) }

// importing waits until that release is being imported.
func (s *server) importing(version int) {
	s.t.Helper()
	eventually(s.t, "release "+itoa(version)+" is being imported", func() bool {
		return strings.Contains("\n"+s.read("importing"), "\n"+itoa(version)+"\n")
	})
}

// TestReloadDuringReload: a second SIGHUP while new code is still being imported is not lost.
func TestReloadDuringReload(t *testing.T) {
	s := startSlowImport(t)
	s.vars.writeFile("versions.py", release(2))
	s.signal(syscall.SIGHUP)
	s.importing(2)
	s.get("/").want(t, 200, "version 1")
	s.vars.writeFile("versions.py", release(3))
	s.signal(syscall.SIGHUP)
	s.signal(syscall.SIGHUP)
	s.get("/").want(t, 200, "version 1")
	s.give("import-2")
	s.give("import-3")
	eventually(t, "the last release serves", func() bool { return s.get("/").body == "version 3" })
	s.workers("versions", 1)
}

// TestStopDuringReload: SIGTERM does not wait for code that is being imported.
func TestStopDuringReload(t *testing.T) {
	s := startSlowImport(t)
	s.vars.writeFile("versions.py", release(2))
	s.signal(syscall.SIGHUP)
	s.importing(2)
	s.signal(syscall.SIGTERM)
	if code := s.waitExit(); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
}

// TestStopDuringStart: SIGTERM while the first import runs ends everything at once.
func TestStopDuringStart(t *testing.T) {
	v := newVariables(t)
	v.writeFile("versions.py", release(2))
	v.writeConfig(strings.Replace(site{module: "versions:app", app: `pythonpath = ["$APPS"]`}.String(), `chdir = "$APPS"`, `chdir = "$DIR"`, 1))
	s := launch(t, v, "run", "-c", v.config())
	s.importing(2)
	s.signal(syscall.SIGTERM)
	s.waitExit()
	s.unclean = true
}

// TestDeathsDuringReload: the zygote that imports, the old zygote and the front die while new code is being imported.
func TestDeathsDuringReload(t *testing.T) {
	s := startSlowImport(t)
	l := s.startLoadWith(&load{redial: true, check: func(a answer) string {
		if a.status != 200 {
			return "got " + itoa(a.status)
		}
		return ""
	}}, 4, "/")
	old := pids(s.find(zygoteTitle("versions")))
	s.vars.writeFile("versions.py", release(2))
	s.signal(syscall.SIGHUP)
	s.importing(2)
	for _, p := range s.find(zygoteTitle("versions")) {
		if !old[p.pid] {
			kill(t, p)
		}
	}
	eventually(t, "the failed reload is reported", func() bool { return strings.Contains(s.log.String(), "reload") })
	l.more(50)
	kill(t, s.one(frontTitle()))
	l.more(50)
	s.give("import-2")
	s.signal(syscall.SIGHUP)
	eventually(t, "the second try serves", func() bool {
		a, err := s.try("/")
		return err == nil && a.body == "version 2"
	})
	l.more(50)
	l.finish()
	s.workers("versions", 1)
}

// TestReloadRefusals: what is wrong outside the file stops a reload as well: a certificate, a user, an interpreter, an address.
func TestReloadRefusals(t *testing.T) {
	v := newVariables(t)
	good := site{module: "hello:app", app: "processes = 2"}.String()
	s := startWith(t, v, good)
	before := pids(familyOf(s.pid()))
	other := start(t, site{module: "hello:app"}.String())
	f := func(config, reported string) {
		t.Helper()
		v.writeConfig(config)
		s.signal(syscall.SIGHUP)
		eventually(t, "the log has "+reported, func() bool { return s.log.contains(v.expand(reported)) })
		s.get("/").want(t, 200, "Hello")
		eventually(t, "the processes are the same", func() bool { return sameSet(before, pids(familyOf(s.pid()))) })
	}
	f(strings.Replace(good, `"$PYTHON"`, `"/no/such/python"`, 1), "/no/such/python")
	f(strings.Replace(good, `listen = ["$HTTP"]`, `listen = ["$HTTP", "`+other.address("$HTTP")+`"]`, 1), "address already in use")
	f(strings.Replace(good, `listen = ["$HTTP"]`, "listen = [\"$HTTP\", \"$TLS ssl\"]\ncertificate = { cert = \"$DIR/no.crt\", key = \"$DIR/no.key\" }", 1), "no.crt")
	if os.Geteuid() == 0 {
		f(strings.Replace(good, "processes = 2", "processes = 2\nuser = \"nobody-at-all\"", 1), "nobody-at-all")
	}
	if err := os.Remove(v.config()); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	eventually(t, "the missing file is reported", func() bool { return s.log.contains("no such file") })
	s.get("/").want(t, 200, "Hello")
}
