package config

import (
	"os"
	"path/filepath"
	"testing"
)

// addSeeds gives a fuzz target all documents of the tests and examples.
func addSeeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/*/*.toml", filepath.Join(root, "config.toml.example"), filepath.Join(root, "examples/seed/config.toml")} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no files for %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// FuzzParse: no document makes Parse panic, and what it accepts survives Print and JSON.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	const app = "[app.a]\nmodule='a'\n"
	const server = "[[server]]\nlisten=80\n"
	const location = "[[server.location]]\npath='/'\npass='app:a'\n"
	f.Add([]byte(app + "socket='s'"))
	f.Add([]byte(server + "root='r'\n"))
	f.Add([]byte(app + "env={x='\\u0000'}\n" + server + "server_name=['','_','A.']\n" + location))
	f.Add([]byte(app + "umask='0'\nhome='/'\n" + server + location + "uwsgi_param={A='b'}\nscript_name='/'"))
	f.Add([]byte("http={set_real_ip_from='::ffff:1.2.3.4/100'}\npid='/'\n" + app + "python='a/b'\n" + server + location))
	f.Add([]byte("[[server]]\nlisten='[::1%e]:0'\n[[server.location]]\npath='=/a'\nalias='/a'\n[[server.location]]\npath='/b/'\nroot='/'"))
	f.Add([]byte("[[server]]\nlisten='unix:a uwsgi'\n[[server.location]]\npath='/'\nuwsgi_pass='unix:b'\nsend_timeout='1w2d3h4m5s6ms'"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("/etc/hognose/config.toml", data)
		if err == nil {
			roundTrips(t, c)
			return
		}
		findings, ok := err.(Findings)
		if !ok || len(findings) == 0 || c != nil {
			t.Fatalf("Parse returned %v and %T %v", c, err, err)
		}
		for i, f := range findings {
			if f.Text == "" || f.Line < 0 || i > 0 && f.order() < findings[i-1].order() {
				t.Fatalf("finding %d is empty or out of order: %v", i, err)
			}
		}
	})
}
