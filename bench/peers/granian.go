package peers

import (
	"path/filepath"
	"strings"
)

// granianPeer is Granian facing the clients itself, without a front.
func granianPeer() Peer {
	return Peer{
		Name:  Granian,
		About: "no front: no static files, buffering or virtual hosts",
		app:   startGranian,
	}
}

// nginxGranianPeer is nginx in front of Granian, over a Unix socket and HTTP.
func nginxGranianPeer() Peer {
	return Peer{
		Name:     NginxGranian,
		About:    "HTTP over a Unix socket",
		Needs:    []string{"nginx"},
		app:      startGranian,
		front:    startNginx,
		protocol: "http",
	}
}

// startGranian passes the template as arguments, since Granian has no
// configuration file: each line is an option, and its value after a space.
// --backpressure is how many connections a worker takes; the default would
// leave most of 10,000 idle ones unanswered.
func startGranian(c settings) (*process, error) {
	text, err := c.render("granian.args")
	if err != nil {
		return nil, err
	}
	var args []string
	for line := range strings.Lines(string(text)) {
		option, value, found := strings.Cut(strings.TrimSpace(line), " ")
		args = append(args, option)
		if found {
			args = append(args, value)
		}
	}
	return start(c.Dir, filepath.Join(c.Venv, "bin", "granian"), args...)
}
