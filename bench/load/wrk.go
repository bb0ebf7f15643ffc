package load

import (
	"bytes"
	"context"
	_ "embed" // for the script
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// Wrk is one run of wrk (https://github.com/wg/wrk).
type Wrk struct {
	Dir         string // scratch directory, for the script
	URL         string
	Connections int
	Threads     int
	Duration    time.Duration // in whole seconds, the resolution of wrk
	UploadBytes int           // above 0: POST with a body of so many bytes
}

// Run lets wrk work and returns what it saw.
func (w Wrk) Run(ctx context.Context) (Result, error) {
	script := filepath.Join(w.Dir, "wrk.lua")
	if err := os.WriteFile(script, wrkScript, 0o644); err != nil {
		return Result{}, fmt.Errorf("cannot write the wrk script: %w", err)
	}
	cmd := exec.CommandContext(ctx, "wrk", w.args(script)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if err != nil {
		return Result{}, fmt.Errorf("wrk on %s: %w: %s%s", w.URL, err, tail(out), tail(stderr.Bytes()))
	}
	result, err := parseWrk(out)
	if err != nil {
		return Result{}, fmt.Errorf("wrk on %s: %w", w.URL, err)
	}
	result.ClientCPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result, nil
}

func (w Wrk) args(script string) []string {
	args := []string{
		"-t", strconv.Itoa(min(w.Threads, w.Connections)), "-c", strconv.Itoa(w.Connections),
		"-d", fmt.Sprintf("%ds", max(1, int(w.Duration.Seconds()))), "--timeout", "10s",
		"-s", script, w.URL,
	}
	if w.UploadBytes > 0 {
		args = append(args, "--", "upload", strconv.Itoa(w.UploadBytes))
	}
	return args
}

// resultPrefix begins the line that wrk.lua prints when wrk is done.
const resultPrefix = "bench "

// parseWrk reads the "bench name=number ..." line of wrk.lua out of wrk's
// output. Times are in microseconds. Each name must be there: wrk's Lua gives
// nil for a field it does not know, and a measurement without its errors counted
// is worth nothing.
func parseWrk(out []byte) (Result, error) {
	fields, err := resultFields(out)
	if err != nil {
		return Result{}, err
	}
	var missing []string
	take := func(name string) int {
		value, ok := fields[name]
		if !ok {
			missing = append(missing, name)
		}
		return value
	}
	micros := func(name string) time.Duration { return time.Duration(take(name)) * time.Microsecond }
	result := Result{
		Requests: take("requests"), Bytes: take("bytes"), Elapsed: micros("duration"),
		P50: micros("p50"), P99: micros("p99"), Max: micros("max"),
	}
	result.Failures = countFailure(result.Failures, "connections not made", take("connect"))
	result.Failures = countFailure(result.Failures, "reads failed", take("read"))
	result.Failures = countFailure(result.Failures, "writes failed", take("write"))
	result.Failures = countFailure(result.Failures, "answers of status 400 or above", take("status"))
	result.Failures = countFailure(result.Failures, "timeouts", take("timeout"))
	if len(missing) > 0 {
		return Result{}, fmt.Errorf("result line lacks %q", missing)
	}
	if result.Requests == 0 {
		result.Failures = append(result.Failures, "no request was answered")
	}
	return result, nil
}

func resultFields(out []byte) (map[string]int, error) {
	for line := range strings.Lines(string(out)) {
		rest, ok := strings.CutPrefix(line, resultPrefix)
		if !ok {
			continue
		}
		fields := make(map[string]int)
		for _, pair := range strings.Fields(rest) {
			name, text, _ := strings.Cut(pair, "=")
			value, err := strconv.Atoi(text)
			if err != nil || value < 0 {
				return nil, fmt.Errorf("result line %q: %q is not a count", line, pair)
			}
			fields[name] = value
		}
		return fields, nil
	}
	return nil, fmt.Errorf("no line begins with %q in its output: %s", resultPrefix, tail(out))
}

// tail shortens output for an error message.
func tail(out []byte) string {
	const most = 2000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return string(bytes.TrimSpace(out))
}
