package peers

import "path/filepath"

// nginxPeer serves static files only, with the file looked up at each request,
// so that a change shows at once.
func nginxPeer() Peer {
	return Peer{
		Name:  Nginx,
		About: "nginx alone, for static files",
		Needs: []string{"nginx"},
		front: startNginx,
	}
}

// nginxCachePeer is nginx with open_file_cache, which is faster for small files
// and may serve an old file for a minute.
func nginxCachePeer() Peer {
	peer := nginxPeer()
	peer.Name, peer.cache = NginxCache, true
	peer.About = "nginx alone, with open_file_cache: a changed file shows after up to a minute"
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
