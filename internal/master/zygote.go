package master

import (
	"errors"
	"os"

	"hognose/internal/wire"
)

// zygote is the process that imports an application and forks its workers.
type zygote struct {
	gen     *generation
	pid     int
	control *control
	ended   *exit // set when the process has been reaped
	drained bool  // the control socket has been read to its end
	timer   *timer
	onGone  func(exit)
}

// startZygote starts the process. Each message is given to received, and the end, after the last message, to gone.
func startZygote(g *generation, spec childSpec, launch Launch, received func(wire.Control), gone func(exit)) (*zygote, error) {
	z := &zygote{gen: g, onGone: gone}
	c, peer, err := g.m.newControl("control socket of a zygote", func(_ *control, msg wire.Control) { received(msg) }, z.hungUp)
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	z.control = c
	memory, err := launch.Settings()
	if err != nil {
		c.close()
		return nil, err
	}
	defer memory.Close()
	spec.files = []*os.File{peer, memory, g.queueIn, g.boardFile} // HG_FD_CONTROL and up
	if z.pid, err = g.m.start(spec, z.reaped); err != nil {
		c.close()
		return nil, err
	}
	return z, nil
}

// alive reports whether the zygote can still be given orders.
func (z *zygote) alive() bool { return z != nil && z.ended == nil && !z.drained }

// over reports whether nothing more is to be expected from it.
func (z *zygote) over() bool { return z == nil || z.ended != nil && z.drained }

func (z *zygote) hungUp(c *control) {
	c.close()
	z.drained = true
	if z.pid != 0 {
		z.settle()
	}
}

func (z *zygote) reaped(e exit) {
	z.ended = &e
	z.settle()
}

// settle ends the zygote when both its process has been reaped and its last message been read. One without the other gets some time.
func (z *zygote) settle() {
	z.timer.stop()
	switch {
	case z.over():
		z.onGone(*z.ended)
	case z.ended != nil:
		// A worker that kept a copy of the socket must not keep the zygote from being over.
		z.timer = z.gen.m.after(lastWords, z.control.close)
	default:
		z.timer = z.gen.m.after(lastWords, z.kill)
	}
}

// stop asks the process to exit. Its workers are not its to stop.
func (z *zygote) stop() {
	if err := z.control.send(wire.Control{Type: wire.ControlStop}); err != nil && !errors.Is(err, os.ErrClosed) {
		z.kill()
	}
}

// kill ends the process at once.
func (z *zygote) kill() {
	if z.ended == nil {
		z.gen.m.kill(z.pid)
	}
}
