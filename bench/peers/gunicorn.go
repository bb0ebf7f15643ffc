package peers

import "path/filepath"

// nginxGunicornPeer is nginx in front of Gunicorn, over a Unix socket and HTTP.
func nginxGunicornPeer() Peer {
	return Peer{
		Name:     NginxGunicorn,
		About:    "HTTP over a Unix socket",
		Needs:    []string{"nginx"},
		app:      startGunicorn,
		front:    startNginx,
		protocol: "http",
	}
}

func startGunicorn(c settings) (*process, error) {
	path, err := c.write("gunicorn.conf.py")
	if err != nil {
		return nil, err
	}
	return start(c.Dir, filepath.Join(c.Venv, "bin", "gunicorn"), "-c", path, c.App)
}
