package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hognose/internal/config"
)

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// mustParse parses a configuration as if it were in /etc/hognose.
func mustParse(t *testing.T, what, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("/etc/hognose/hognose.toml", []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return cfg
}

// unit holds the values of each key of a unit, in order.
type unit map[string][]string

func readUnit(t *testing.T, file string) unit {
	t.Helper()
	u := unit{}
	for line := range strings.Lines(mustRead(t, file)) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == '[':
		case !ok || strings.ContainsAny(key, " #"):
			t.Errorf("%s: %q is no setting", file, line)
		default:
			u[key] = append(u[key], value)
		}
	}
	return u
}

// one returns the value of a key that is there once.
func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Fatalf("the unit has %s %d times; want it once", key, len(u[key]))
	}
	return u[key][0]
}

func (u unit) number(t *testing.T, key string) int {
	t.Helper()
	n, err := strconv.Atoi(u.one(t, key))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return n
}

// TestUnit: the unit fits the configuration beside it and what the master does.
func TestUnit(t *testing.T) {
	u := readUnit(t, "hognose.service")
	cfg := mustParse(t, "hognose.toml", mustRead(t, "hognose.toml"))
	for key, want := range map[string]string{"Type": "notify", "NotifyAccess": "main", "KillMode": "mixed", "OOMPolicy": "continue"} {
		if got := u.one(t, key); got != want {
			t.Errorf("%s=%s; want %s", key, got, want)
		}
	}
	start, reload := u.one(t, "ExecStart"), u["ExecReload"]
	check := strings.Replace(start, " run ", " check ", 1)
	if len(reload) != 2 || reload[0] != check || !strings.HasSuffix(reload[1], "kill -HUP $MAINPID") {
		t.Errorf("ExecReload is %q; want %q, and then SIGHUP to the master", reload, check)
	}
	if !strings.HasSuffix(start, " -c /etc/hognose/hognose.toml") {
		t.Errorf("ExecStart=%s; want the usual configuration named", start)
	}
	if stop := time.Duration(u.number(t, "TimeoutStopSec")) * time.Second; stop < cfg.WorkerShutdownTimeout.Std()+5*time.Second {
		t.Errorf("TimeoutStopSec is %s; worker_shutdown_timeout = %q needs more", stop, cfg.WorkerShutdownTimeout)
	}
	if files, need := u.number(t, "LimitNOFILE"), 2*cfg.WorkerConnections+1024; files < need {
		t.Errorf("LimitNOFILE=%d; worker_connections = %d need %d", files, cfg.WorkerConnections, need)
	}
	if dir := filepath.Join("/run", u.one(t, "RuntimeDirectory")); filepath.Dir(cfg.PID) != dir {
		t.Errorf("pid = %q is not in %s, which the unit makes", cfg.PID, dir)
	}
	if dir := filepath.Join("/var/log", u.one(t, "LogsDirectory")); filepath.Dir(cfg.Log.Access) != dir {
		t.Errorf("access = %q is not in %s, which the unit makes", cfg.Log.Access, dir)
	}
}

// TestUnitVerifies: systemd itself understands the units.
func TestUnitVerifies(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here")
	}
	args := []string{"verify", "--man=no"}
	dir := t.TempDir()
	for _, file := range []string{"hognose.service", "hognose.socket"} {
		path := filepath.Join(dir, file)
		write(t, path, strings.ReplaceAll(mustRead(t, file), "/usr/local/bin/hognose", "/bin/true"))
		args = append(args, path)
	}
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || strings.Contains(string(out), "hognose.s") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestSocketUnit: systemd opens what the configuration names, all of it, and so that hognose recognizes it.
func TestSocketUnit(t *testing.T) {
	var want []string
	for _, s := range mustParse(t, "hognose.toml", mustRead(t, "hognose.toml")).Servers {
		for _, l := range s.Listen {
			want = append(want, l.Address)
		}
	}
	got := readUnit(t, "hognose.socket")["ListenStream"]
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("hognose.socket listens on %q; hognose.toml on %q", got, want)
	}
}

// TestLogrotate: what logrotate moves away is what the configuration writes, and the signal goes to the master.
func TestLogrotate(t *testing.T) {
	cfg := mustParse(t, "hognose.toml", mustRead(t, "hognose.toml"))
	text := mustRead(t, "logrotate")
	pattern, _, _ := strings.Cut(text[strings.Index(text, "\n/")+1:], " {")
	if ok, err := filepath.Match(pattern, cfg.Log.Access); !ok || err != nil {
		t.Errorf("logrotate takes %q, and the access log is %q", pattern, cfg.Log.Access)
	}
	if want := `kill -USR1 "$(cat ` + cfg.PID + `)"`; !strings.Contains(text, want) {
		t.Errorf("logrotate has no %s", want)
	}
}
