package config

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestLines(t *testing.T) {
	const doc = `# [not.a.table]
top = 1
"quoted \"key\" \u00e9" = """
[[no]] # no comment
""\"
ends with two quotes"""""
literal.'dotted key'."x" = '''
  '' [no] ''
'''

[ app . "a.b" ] # comment ]
list = [ # comment with ] and "
  "one", 'two ]',

  [ 3,
    4 ], { k = "}", l = [
    5 ] },
]
inline = { a = 1, b.c = "#" }

[[server]]
listen = "a"
[[server.location]]
path = "1"
[[server.location]]

path = 2000-01-01 10:00:00 # date
[server.location.sub]
k = 1
[[server]]
[[server.location]]
path = "3"
`
	n := indexLines(doc)
	f := func(line int, path ...any) {
		t.Helper()
		at := n
		for _, p := range path {
			switch p := p.(type) {
			case string:
				at = at.child(p)
			case int:
				at = at.item(p)
			}
		}
		if at == nil || at.line != line {
			t.Errorf("%v is at %+v; want line %d", path, at, line)
		}
	}
	f(2, "top")
	f(3, `quoted "key" é`)
	f(7, "literal", "dotted key", "x")
	f(11, "app", "a.b")
	f(12, "app", "a.b", "list")
	f(13, "app", "a.b", "list", 0)
	f(13, "app", "a.b", "list", 1)
	f(15, "app", "a.b", "list", 2)
	f(16, "app", "a.b", "list", 2, 1)
	f(16, "app", "a.b", "list", 3, "k")
	f(17, "app", "a.b", "list", 3, "l", 0)
	f(19, "app", "a.b", "inline", "b", "c")
	f(21, "server", 0)
	f(22, "server", 0, "listen")
	f(23, "server", 0, "location", 0)
	f(24, "server", 0, "location", 0, "path")
	f(25, "server", 0, "location", 1)
	f(27, "server", 0, "location", 1, "path")
	f(29, "server", 0, "location", 1, "sub", "k")
	f(30, "server", 1)
	f(32, "server", 1, "location", 0, "path")
}

// FuzzLines: of each document that the library accepts, the index has the same shape, and a key stands in the line it is said to stand in.
func FuzzLines(f *testing.F) {
	addSeeds(f)
	for _, doc := range []string{
		"\xef\xbb\xbfa=1", "a.b.c=1\n[a.b.d]\n[a.e]", "''=1\n\"\"={''=2}", "a=\"\"\"\"\"\"\"\"", "a=''''''''", "a=[[[],[{}]]]",
		"a = { b = 1,\n c = [\n2], # x\n }", "[[a]]\n[[a.b]]\n[a.b.c]\n[[a]]\n[[a.b]]", "a=inf\nb=-nan\r\nc=07:32:00", "a=\"\\\\\"\nb='\\'",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := string(data)
		index := indexLines(doc)
		tree := map[string]any{}
		if _, err := toml.Decode(doc, &tree); err == nil {
			sameShape(t, strings.Split(doc, "\n"), tree, index)
		}
	})
}

func sameShape(t *testing.T, lines []string, v any, n *node) {
	t.Helper()
	if n == nil {
		t.Fatalf("no place for %v", v)
	}
	if n.line < 1 || n.line > len(lines) {
		t.Fatalf("%v is in line %d of %d", v, n.line, len(lines))
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) != len(n.keys) {
			t.Fatalf("table %v has the places %v", v, n.keys)
		}
		for key := range v {
			sameShape(t, lines, v[key], n.child(key))
			if at := n.child(key); isPlain(key) && !strings.Contains(lines[at.line-1], key) {
				t.Fatalf("key %q is not in line %d: %q", key, at.line, lines[at.line-1])
			}
		}
	case []map[string]any:
		if len(v) != len(n.items) {
			t.Fatalf("tables %v have %d places", v, len(n.items))
		}
		for i := range v {
			sameShape(t, lines, v[i], n.item(i))
		}
	case []any:
		if len(v) != len(n.items) {
			t.Fatalf("array %v has %d places", v, len(n.items))
		}
		for i := range v {
			sameShape(t, lines, v[i], n.item(i))
		}
	}
}

// isPlain reports whether a key is written as it is, whatever the quotes. (An escape may stand for any character.)
func isPlain(key string) bool { return bareOrQuoted(key) == key }
