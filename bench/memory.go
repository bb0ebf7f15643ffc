package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"hognose/bench/load"
	"hognose/bench/peers"
	"hognose/bench/proc"
	"hognose/bench/report"
)

// dialers is how many of the idle connections are being opened at a time.
const dialers = 64

// measureIdle opens connections that each make one request, and reads by how
// much the front grew. The warm-up gave it the pools that any load needs.
func measureIdle(ctx context.Context, _ *runner, s scenario, server *peers.Server) (measurement, error) {
	before, err := settled(ctx, server.Front)
	if err != nil {
		return measurement{}, err
	}
	held, err := load.Idle{Addr: server.Addr, Path: s.path, Connections: idleConnections, Dialers: dialers}.Open(ctx)
	if err != nil {
		return measurement{}, err
	}
	defer held.Close()
	after, err := settled(ctx, server.Front)
	if err != nil {
		return measurement{}, err
	}
	if open := held.Open(); open != idleConnections {
		return measurement{}, fmt.Errorf("the server closed %d of %d idle connections", idleConnections-open, idleConnections)
	}
	perConnection := func(grown int64) float64 { return float64(grown) / idleConnections / kib }
	return measurement{sample: report.Sample{
		report.IdlePSS:  perConnection(after.PSS - before.PSS),
		report.IdleRSS:  perConnection(after.RSS - before.RSS),
		report.FrontPSS: float64(after.PSS) / mib,
	}}, nil
}

// measureMemory reads what the application tier holds after the warm-up, when
// every worker has served.
func measureMemory(ctx context.Context, _ *runner, _ scenario, server *peers.Server) (measurement, error) {
	memory, err := settled(ctx, server.App)
	if err != nil {
		return measurement{}, err
	}
	app, err := server.App()
	if err != nil {
		return measurement{}, err
	}
	tree, err := treePSS(server)
	if err != nil {
		return measurement{}, err
	}
	return measurement{sample: report.Sample{
		report.AppPSS: float64(memory.PSS) / mib, report.AppRSS: float64(memory.RSS) / mib,
		report.Processes: float64(len(app)), report.PSS: tree,
	}}, nil
}

const (
	settlePause  = 500 * time.Millisecond
	settleMost   = 10 // pauses
	settleWithin = 0.005
)

// settled reads the memory of a tier until two readings agree, or for 5 seconds:
// servers give buffers back, collect garbage, or finish starting a little later.
func settled(ctx context.Context, tier func() ([]int, error)) (proc.Memory, error) {
	var last proc.Memory
	for range settleMost {
		pids, err := tier()
		if err != nil {
			return proc.Memory{}, err
		}
		now, err := proc.MemoryOf(pids)
		if err != nil {
			return proc.Memory{}, err
		}
		if now.PSS == 0 {
			return proc.Memory{}, fmt.Errorf("no process of this tier was found")
		}
		if math.Abs(float64(now.PSS-last.PSS)) < settleWithin*float64(now.PSS) {
			return now, nil
		}
		last = now
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return proc.Memory{}, ctx.Err()
		}
	}
	return last, nil
}
