package peers

// nginxUWSGIPeer is what hognose replaces: nginx in front of uWSGI, over a Unix
// socket and the uwsgi protocol.
func nginxUWSGIPeer() Peer {
	return Peer{
		Name:     NginxUWSGI,
		About:    "uwsgi protocol over a Unix socket",
		Needs:    []string{"nginx", "uwsgi"},
		app:      startUWSGI,
		front:    startNginx,
		protocol: "uwsgi",
	}
}

func startUWSGI(c settings) (*process, error) {
	path, err := c.write("uwsgi.ini")
	if err != nil {
		return nil, err
	}
	return start(c.Dir, "uwsgi", "--ini", path)
}
