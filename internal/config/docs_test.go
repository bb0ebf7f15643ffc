package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// docsSection returns the text of the section of docs/config.md about one kind of table.
func docsSection(t *testing.T, s section) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs", "config.md"))
	if err != nil {
		t.Fatal(err)
	}
	heading := "`" + s.name + "`"
	if s.name == "the top level" {
		heading = "Top level"
	}
	_, text, ok := strings.Cut(string(data), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/config.md has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// The documentation has each key and each of its other spellings in its section.
func TestDocsAreComplete(t *testing.T) {
	for _, s := range sections() {
		text := docsSection(t, s)
		for _, f := range s.fields() {
			for _, key := range append([]string{f.key}, f.aliases...) {
				inherited := s.name != "[http]" && isHTTPKey(f.key)
				if !inherited && !strings.Contains(text, "`"+key+"`") {
					t.Errorf("docs/config.md has no `%s` in the section of %s", key, s.name)
				}
			}
			if row := "| `" + f.key + "` | L |"; s.name == "[http]" && f.location != strings.Contains(text, row) {
				t.Errorf("docs/config.md: the mark L of `%s` is wrong: a location may set it: %t", f.key, f.location)
			}
		}
	}
}

// A default in the documentation's tables changes nothing when it is set.
func TestDocsShowDefaults(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|(.*)\\|([^|]*)\\|[^|]*\\|$")
	const rest = "\n[app.a]\nmodule = \"a\"\n"
	const server = "\n[[server]]\nlisten = 80\n[[server.location]]\npath = \"/\"\npass = \"app:a\"\n"
	want := mustParse(t, "/etc/c.toml", rest+server)
	count := 0
	f := func(s section, before, after string) {
		t.Helper()
		for _, m := range row.FindAllStringSubmatch(docsSection(t, s), -1) {
			value := strings.TrimSpace(m[3])
			if len(value) < 3 || value[0] != '`' || strings.Count(value, "`") != 2 {
				continue // not set, or said in words
			}
			count++
			got := mustParse(t, "/etc/c.toml", before+m[1]+" = "+strings.Trim(value, "`")+after)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("docs/config.md: the default of `%s` is not %s", m[1], value)
			}
		}
	}
	all := sections()
	f(all[0], "", rest+server)
	f(all[1], "[log]\n", rest+server)
	f(all[2], "[http]\n", rest+server)
	f(all[3], rest, server)
	f(all[4], rest+"[[server]]\nlisten = 80\n", "\n[[server.location]]\npath = \"/\"\npass = \"app:a\"\n")
	f(all[5], rest+server, "\n")
	if count < 40 {
		t.Errorf("read only %d defaults", count)
	}
}
