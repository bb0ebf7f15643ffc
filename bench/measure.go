package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"hognose/bench/load"
	"hognose/bench/peers"
	"hognose/bench/proc"
	"hognose/bench/report"
)

// measureThroughput lets wrk ask as fast as the server answers.
func measureThroughput(ctx context.Context, r *runner, s scenario, server *peers.Server) (measurement, error) {
	return underLoad(server, r.opts.threads, report.Rate, report.CPU, func() (load.Result, error) {
		result, err := r.wrk(s, server, r.opts.duration).Run(ctx)
		if err == nil && result.Bytes < result.Requests*s.size {
			result.Failures = append(result.Failures, fmt.Sprintf("answers were too short: %d bytes in %d answers of %d bytes",
				result.Bytes, result.Requests, s.size))
		}
		return result, err
	})
}

// measureHandshakes makes full TLS handshakes for the duration of a round.
func measureHandshakes(ctx context.Context, r *runner, s scenario, server *peers.Server) (measurement, error) {
	return underLoad(server, runtime.NumCPU(), report.Handshakes, report.HandshakeP, func() (load.Result, error) {
		return load.Handshakes{
			Addr: server.Addr, Path: s.path, Connections: s.connections, Duration: r.opts.duration,
		}.Run(ctx)
	})
}

// measureFairness watches single requests at a fixed rate, for twice the
// duration of a round: it looks for rare events.
func measureFairness(ctx context.Context, r *runner, s scenario, server *peers.Server) (measurement, error) {
	var seen load.FairnessResult
	measured, err := underLoad(server, runtime.NumCPU(), report.Rate, report.CPU, func() (load.Result, error) {
		var err error
		seen, err = load.Fairness{
			Addr: server.Addr, FastPath: s.path, SlowPath: "/sleep", Connections: s.connections,
			Workers: s.workers, Every: fairnessEvery, Rate: fairnessRate,
			Duration: 2 * r.opts.duration, Limit: fairnessLimit,
		}.Run(ctx)
		return seen.Result, err
	})
	if err != nil {
		return measurement{}, err
	}
	measured.sample[report.Fast] = float64(seen.Requests)
	measured.sample[report.Late] = float64(seen.Late)
	measured.sample[report.Starved] = float64(seen.Starved)
	return measured, nil
}

// wrk is the load of a scenario.
func (r *runner) wrk(s scenario, server *peers.Server, duration time.Duration) load.Wrk {
	return load.Wrk{
		Dir: r.dir, URL: server.URL + s.path, Connections: s.connections, Threads: r.opts.threads,
		Duration: duration, UploadBytes: s.upload,
	}
}

// warm lets every worker serve, and caches fill, before anything is measured.
func (r *runner) warm(ctx context.Context, s scenario, server *peers.Server) error {
	if _, err := r.wrk(s, server, warmUp).Run(ctx); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	return nil
}

// meter reads every clock at one moment.
type meter struct {
	when   time.Time
	server proc.Usage
	busy   time.Duration // of the whole machine
	self   time.Duration // of this process
}

func readMeter(server *peers.Server) (meter, error) {
	usage, err := proc.CPU(server.Roots()...)
	if err != nil {
		return meter{}, err
	}
	busy, err := proc.Busy()
	if err != nil {
		return meter{}, err
	}
	var self unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &self); err != nil {
		return meter{}, fmt.Errorf("cannot read own CPU time: %w", err)
	}
	return meter{
		when: time.Now(), server: usage, busy: busy,
		self: time.Duration(self.Utime.Nano() + self.Stime.Nano()),
	}, nil
}

// underLoad reads the clocks around a load and turns both into a sample.
// threads is how many the load generator has; rateKey and cpuKey name the two
// metrics that count per request.
func underLoad(server *peers.Server, threads int, rateKey, cpuKey string, apply func() (load.Result, error)) (measurement, error) {
	before, err := readMeter(server)
	if err != nil {
		return measurement{}, err
	}
	result, err := apply()
	if err != nil {
		return measurement{}, err
	}
	after, err := readMeter(server)
	if err != nil {
		return measurement{}, err
	}
	pss, err := treePSS(server)
	if err != nil {
		return measurement{}, err
	}
	measured := measurement{failures: result.Failures, sample: report.Sample{
		rateKey: result.Rate(), report.P50: millis(result.P50), report.P99: millis(result.P99),
		report.Longest: millis(result.Max), report.PSS: pss,
	}}
	used, same := after.server.Since(before.server)
	if !same {
		measured.failures = append(measured.failures, "processes of the server came or went under load")
	}
	if result.Requests > 0 {
		measured.sample[cpuKey] = float64(used.Microseconds()) / float64(result.Requests)
	}
	client := after.self - before.self + result.ClientCPU
	elapsed := after.when.Sub(before.when)
	others := after.busy - before.busy - used - client
	measured.sample[report.ClientCPU] = 100 * client.Seconds() / elapsed.Seconds() / float64(threads)
	measured.sample[report.OtherCPU] = max(0, 100*others.Seconds()/elapsed.Seconds()/float64(runtime.NumCPU()))
	return measured, nil
}

// treePSS returns the memory of all processes of a server, in MiB.
func treePSS(server *peers.Server) (float64, error) {
	pids, err := server.All()
	if err != nil {
		return 0, err
	}
	memory, err := proc.MemoryOf(pids)
	return float64(memory.PSS) / mib, err
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
