package listen

import (
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// Inherited are listening sockets that systemd opened before it started us (sd_listen_fds(3)), by address.
type Inherited map[string]*os.File

// Inherit takes over the sockets that systemd passed. Call it once, before any child is started.
func Inherit() Inherited {
	in := Inherited{}
	for _, f := range activation.Files(true) {
		addr := boundAddress(int(f.Fd()))
		if addr == "" || unix.SetNonblock(int(f.Fd()), false) != nil {
			f.Close()
			continue
		}
		in[addr] = f
	}
	return in
}

// Take returns the inherited socket for spec, if there is one; it is not inherited any more then.
// Its path, when it has one, is systemd's to remove.
func (in Inherited) Take(spec Spec) (*Socket, bool) {
	f, ok := in[spec.Address]
	if !ok {
		return nil, false
	}
	delete(in, spec.Address)
	return &Socket{Spec: spec, file: f}, true
}

// Close closes the sockets that nobody took, and returns their addresses.
func (in Inherited) Close() []string {
	var left []string
	for addr, f := range in {
		left = append(left, addr)
		f.Close()
		delete(in, addr)
	}
	return left
}
