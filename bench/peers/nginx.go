package peers

import "path/filepath"

// nginxPeer serves static files only, and looks a file up at each request.
func nginxPeer() Peer {
	return Peer{
		Name:  Nginx,
		About: "nginx alone, looks a file up at each request",
		Needs: []string{"nginx"},
		front: startNginx,
	}
}

// nginxCachePeer is nginx with open_file_cache, set to look at a file as often as
// hognose does: once a second.
func nginxCachePeer() Peer {
	peer := nginxPeer()
	peer.Name, peer.cache = NginxCache, true
	peer.About = "nginx alone with open_file_cache, looks a file up once a second, as hognose"
	return peer
}

func startNginx(c settings) (*process, error) {
	path, err := c.write("nginx.conf")
	if err != nil {
		return nil, err
	}
	// -e: where it complains before it has read its configuration.
	return start(c.Dir, "nginx", "-p", c.Dir, "-e", filepath.Join(c.Dir, "nginx.log"), "-c", path)
}
