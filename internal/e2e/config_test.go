package e2e

import "strings"

// site is a config with one application below / on $HTTP. The application finds its
// signs in $DIR. app holds further lines of its [app.NAME] table, top those before any table.
type site struct {
	name, module string
	top, app     string
	server       string // further lines of [[server]]
	location     string // further lines of the location
	more         string // further locations, servers and applications
}

func (c site) String() string {
	if c.name == "" {
		c.name = strings.SplitN(c.module, ":", 2)[0]
	}
	return c.top + `
[log]
access = "$DIR/access.log"

[app.` + c.name + `]
module = "` + c.module + `"
chdir = "$APPS"
python = "$PYTHON"
env = { E2E_DIR = "$DIR", PYTHONDONTWRITEBYTECODE = "1" }
` + c.app + `

[[server]]
listen = ["$HTTP"]
` + c.server + `

[[server.location]]
path = "/"
pass = "app:` + c.name + `"
` + c.location + `
` + c.more + "\n"
}
