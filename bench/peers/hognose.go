package peers

import "strings"

// hognosePeer is the program this repository builds. Its tree names the tier of
// each process: the zygote and the workers of an app are "hognose: app NAME ...".
func hognosePeer() Peer {
	return Peer{
		Name:     Hognose,
		About:    "front, TLS, static files and workers in one process tree",
		front:    startHognose,
		appTitle: func(title string) bool { return strings.HasPrefix(title, "hognose: app") },
	}
}

func startHognose(c settings) (*process, error) {
	path, err := c.write("hognose.toml")
	if err != nil {
		return nil, err
	}
	return start(c.Dir, c.HognoseBin, "run", "-c", path)
}
