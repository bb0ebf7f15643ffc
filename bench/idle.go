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
	before, err := settledFront(ctx, server)
	if err != nil {
		return measurement{}, err
	}
	held, err := load.Idle{Addr: server.Addr, Path: s.path, Connections: idleConnections, Dialers: dialers}.Open(ctx)
	if err != nil {
		return measurement{}, err
	}
	defer held.Close()
	after, err := settledFront(ctx, server)
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

const (
	settlePause  = 500 * time.Millisecond
	settleMost   = 10 // pauses
	settleWithin = 0.005
)

// settledFront reads the memory of the front until two readings agree, or for 5
// seconds: servers give buffers back, or collect garbage, a little later.
func settledFront(ctx context.Context, server *peers.Server) (proc.Memory, error) {
	var last proc.Memory
	for range settleMost {
		pids, err := server.Front()
		if err != nil {
			return proc.Memory{}, err
		}
		now, err := proc.MemoryOf(pids)
		if err != nil {
			return proc.Memory{}, err
		}
		if now.PSS == 0 {
			return proc.Memory{}, fmt.Errorf("no process of the front was found")
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
