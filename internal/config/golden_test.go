package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests got to the .want files")

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func goldenFiles(t *testing.T, dir string, f func(t *testing.T, name string, data []byte)) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f(t, file, data)
		})
	}
}

// Each file in testdata/errors is wrong; beside it stands what Parse says.
func TestErrors(t *testing.T) {
	goldenFiles(t, "errors", func(t *testing.T, file string, data []byte) {
		_, err := Parse("/etc/hognose/"+filepath.Base(file), data)
		if err == nil {
			t.Fatal("Parse found nothing wrong")
		}
		golden(t, strings.TrimSuffix(file, ".toml")+".want", err.Error()+"\n")
	})
}

// Each file in testdata/print is right; beside it stands what Print writes.
func TestPrint(t *testing.T) {
	goldenFiles(t, "print", func(t *testing.T, file string, data []byte) {
		c, err := Parse("/etc/hognose/"+filepath.Base(file), data)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, strings.TrimSuffix(file, ".toml")+".want", printed(t, c))
	})
}
