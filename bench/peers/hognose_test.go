package peers

import (
	"testing"

	"hognose/internal/config"
)

// TestHognoseConfigurationIsValid holds the template to the words that hognose
// knows, without starting it.
func TestHognoseConfigurationIsValid(t *testing.T) {
	f := func(name string, change func(c *settings)) {
		t.Helper()
		c := settings{Site: testSite(t), Listen: "127.0.0.1:8000"}
		c.Dir = "/tmp/site"
		change(&c)
		text, err := c.render("hognose.toml")
		if err != nil {
			t.Fatal(err)
		}
		got, err := config.Parse("hognose.toml", text)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			return
		}
		if len(got.Servers) != 1 {
			t.Errorf("%s: got %d servers, want 1", name, len(got.Servers))
		}
	}
	f("application", func(*settings) {})
	f("application as root, with log", func(c *settings) { c.Root, c.AccessLog = true, true })
	f("application over TLS", func(c *settings) { c.Cert, c.Key = "/tmp/c.pem", "/tmp/k.pem" })
	f("static files", func(c *settings) { c.App, c.StaticDir = "", "/tmp/static" })
}
