package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func printed(t *testing.T, c *Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// roundTrips checks that a configuration survives Print and Parse, and JSON.
func roundTrips(t *testing.T, c *Config) {
	t.Helper()
	text := printed(t, c)
	again, err := Parse("/elsewhere/config.toml", []byte(text))
	if err != nil {
		t.Fatalf("what Print wrote does not parse: %v\n%s", err, text)
	}
	if !reflect.DeepEqual(c, again) {
		t.Fatalf("Print and Parse changed the configuration:\n%s\nbecame\n%s", text, printed(t, again))
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON *Config
	if err := json.Unmarshal(data, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, fromJSON) {
		t.Fatalf("JSON changed the configuration:\n%s\nbecame\n%s", text, printed(t, fromJSON))
	}
}

func TestRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/print/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	files = append(files, filepath.Join(root, "config.toml.example"), filepath.Join(root, "examples", "seed", "config.toml"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		roundTrips(t, mustParse(t, "/etc/hognose/"+filepath.Base(file), string(data)))
	}
}

func TestQuote(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := quote(s); got != want {
			t.Errorf("quote(%q) = %s; want %s", s, got, want)
		}
	}
	f("", `""`)
	f("plain", `"plain"`)
	f(`a"b\c`, `"a\"b\\c"`)
	f("tab\tnul\x00del\x7f", `"tab\u0009nul\u0000del\u007F"`)
	f("größe ☃ 😀", `"größe ☃ 😀"`)
}
