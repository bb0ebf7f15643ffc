package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// defaultLine is a line of the example that shows a key with its default.
var defaultLine = regexp.MustCompile(`(?m)^#([a-z_]+ = .*)$`)

func readExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "config.toml.example"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mustParse(t *testing.T, name, doc string) *Config {
	t.Helper()
	c, err := Parse(name, []byte(doc))
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return c
}

// A key that the example shows with its default changes nothing when it is set so.
func TestExampleShowsDefaults(t *testing.T) {
	example := readExample(t)
	plain := mustParse(t, "/srv/config.toml", example)
	full := mustParse(t, "/srv/config.toml", defaultLine.ReplaceAllString(example, "$1"))
	if !reflect.DeepEqual(plain, full) {
		t.Errorf("the example's defaults are not those in force:\n%s\nwith the defaults set:\n%s", printed(t, plain), printed(t, full))
	}
}

// The example sets nothing at the top level, in [log] and in [http]: what it gives there is Default.
func TestExampleIsDefault(t *testing.T) {
	got := mustParse(t, "/srv/config.toml", defaultLine.ReplaceAllString(readExample(t), "$1"))
	got.Apps, got.Servers = nil, nil
	if want := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", printed(t, got), printed(t, want))
	}
}

// Each key of the schema is in the example, in its section.
func TestExampleIsComplete(t *testing.T) {
	sectionLine := regexp.MustCompile(`^\[+([a-z.]+)\]+$`)
	shown := map[string]map[string]bool{}
	name := "the top level"
	for line := range strings.Lines(readExample(t)) {
		line = strings.TrimSpace(line)
		if m := sectionLine.FindStringSubmatch(line); m != nil {
			name = line
			if strings.HasPrefix(m[1], "app.") {
				name = "[app.NAME]"
			}
		}
		if shown[name] == nil {
			shown[name] = map[string]bool{}
		}
		key, _, ok := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if ok {
			shown[name][strings.TrimSpace(key)] = true
		}
	}
	for _, s := range sections() {
		for _, f := range s.fields() {
			inherited := s.name != "[http]" && isHTTPKey(f.key)
			isTable := f.key == "log" || f.key == "http" || f.key == "app" || f.key == "server" || f.key == "location"
			if !inherited && !isTable && !shown[s.name][f.key] {
				t.Errorf("config.toml.example has no %q in %s", f.key, s.name)
			}
		}
	}
}

func isHTTPKey(key string) bool {
	_, ok := canonical(schema(reflect.TypeFor[HTTP]()), key)
	return ok
}

func TestExampleIsWhatMakeRunStarts(t *testing.T) {
	c := mustParse(t, "/srv/config.toml.example", readExample(t))
	if got := c.Apps["django"].Python; got != "/srv/examples/venv/bin/python" {
		t.Errorf("python = %q", got)
	}
	if got := c.Servers[0].Listen[0]; !got.SSL || got.Address != "127.0.0.1:8443" {
		t.Errorf("listen = %v", got)
	}
	if got := c.Servers[0].Locations[0]; got.Alias != "/srv/examples/django/static/" {
		t.Errorf("alias = %q", got.Alias)
	}
	if got := c.Servers[0].Locations[1]; got.Pass.String() != "app:flask" || got.ScriptName != "/flask" {
		t.Errorf("pass = %v, script_name = %q", got.Pass, got.ScriptName)
	}
}

func TestSeed(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "examples", "seed", "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	c := mustParse(t, "/srv/seed/config.toml", string(data))
	app := c.Apps["seed"]
	if app.Module != "app" || app.Callable != "app" || app.Chdir != "/srv/seed" || app.Home != "/srv/venv" ||
		app.Processes != 4 || app.Threads != 2 || app.ChmodSocket != 0o660 || app.Socket.Address != "/srv/seed/app.sock" {
		t.Errorf("app = %+v", app)
	}
	static, all := c.Servers[0].Locations[0], c.Servers[0].Locations[1]
	if static.Alias != "/srv/seed/static" {
		t.Errorf("alias = %q", static.Alias)
	}
	if all.Pass.String() != "app:seed" {
		t.Errorf("uwsgi_pass to the application's own socket became %q; want app:seed", all.Pass)
	}
	if all.UWSGIParam["SITE_NAME"] != "The seed case" {
		t.Errorf("uwsgi_param = %v", all.UWSGIParam)
	}
}
