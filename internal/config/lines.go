package config

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// node is the place of one TOML value in the source: the library decodes values
// without telling where each stood. A tree of nodes has the same shape as the decoded tree of values.
type node struct {
	line  int              // of the key, the table header, or the array element; from 1
	keys  map[string]*node // of a table, by the keys as decoded
	items []*node          // of an array
}

func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	return n.keys[key]
}

func (n *node) item(i int) *node {
	if n == nil || i >= len(n.items) {
		return nil
	}
	return n.items[i]
}

// lineOr returns the node's line, or the given one when the place is not known.
func (n *node) lineOr(line int) int {
	if n == nil || n.line == 0 {
		return line
	}
	return n.line
}

// under returns the table at key, or makes it. An array of tables stands for its newest element.
func (n *node) under(key string, line int) *node {
	if n.keys == nil {
		n.keys = map[string]*node{}
	}
	c := n.keys[key]
	if c == nil {
		c = &node{line: line}
		n.keys[key] = c
	}
	if len(c.items) > 0 {
		return c.items[len(c.items)-1]
	}
	return c
}

// indexLines returns the places of all values in a document that the TOML library has accepted.
// Of any other document it indexes what it understands: it never fails and always ends.
func indexLines(doc string) *node {
	for _, bom := range []string{"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"} {
		if rest, ok := strings.CutPrefix(doc, bom); ok {
			doc = rest
			break
		}
	}
	s := &scanner{doc: doc, line: 1}
	root := &node{line: 1}
	table := root
	for s.blank(); s.pos < len(s.doc); s.blank() {
		start := s.pos
		if s.peek() == '[' {
			table = s.header(root)
		} else {
			s.pair(table)
		}
		if s.pos == start {
			break
		}
	}
	return root
}

// scanner walks over TOML (v1.1, https://toml.io/en/v1.1.0) whose syntax is known to be right.
type scanner struct {
	doc  string
	pos  int // bytes
	line int
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.doc) {
		return s.doc[s.pos]
	}
	return 0
}

func (s *scanner) has(prefix string) bool { return strings.HasPrefix(s.doc[s.pos:], prefix) }

// skip moves on by n bytes and counts the lines in them.
func (s *scanner) skip(n int) {
	end := min(s.pos+n, len(s.doc))
	s.line += strings.Count(s.doc[s.pos:end], "\n")
	s.pos = end
}

// skipAll moves over a run of the given bytes.
func (s *scanner) skipAll(set string) {
	for s.pos < len(s.doc) && strings.IndexByte(set, s.doc[s.pos]) >= 0 {
		s.skip(1)
	}
}

// skipTo moves to the next of the given bytes, or to the end.
func (s *scanner) skipTo(set string) {
	if i := strings.IndexAny(s.doc[s.pos:], set); i >= 0 {
		s.skip(i)
	} else {
		s.skip(len(s.doc))
	}
}

func (s *scanner) space() { s.skipAll(" \t") }

// blank moves over white space, newlines and comments.
func (s *scanner) blank() {
	for s.skipAll(" \t\r\n"); s.peek() == '#'; s.skipAll(" \t\r\n") {
		s.skipTo("\n")
	}
}

// header reads [table] or [[table]] and returns the table it opens.
func (s *scanner) header(root *node) *node {
	line, array := s.line, s.has("[[")
	s.skipAll("[")
	path := s.key()
	s.space()
	s.skipAll("]")
	last := len(path) - 1
	parent := root
	for _, k := range path[:last] {
		parent = parent.under(k, line)
	}
	if !array {
		t := parent.under(path[last], line)
		t.line = line
		return t
	}
	parent.under(path[last], line) // makes the key
	list := parent.keys[path[last]]
	t := &node{line: line}
	list.items = append(list.items, t)
	return t
}

// pair reads key = value into table.
func (s *scanner) pair(table *node) {
	line := s.line
	path := s.key()
	s.space()
	if s.peek() != '=' {
		return
	}
	s.skip(1)
	s.space()
	last := len(path) - 1
	for _, k := range path[:last] {
		table = table.under(k, line)
	}
	v := s.value()
	v.line = line
	if table.keys == nil {
		table.keys = map[string]*node{}
	}
	table.keys[path[last]] = v
}

// key reads a dotted key; it returns one part at least.
func (s *scanner) key() []string {
	var path []string
	for {
		s.space()
		path = append(path, s.keyPart())
		s.space()
		if s.peek() != '.' {
			return path
		}
		s.skip(1)
	}
}

func (s *scanner) keyPart() string {
	start := s.pos
	switch s.peek() {
	case '"':
		s.basic()
		return unquote(s.doc[start:s.pos])
	case '\'':
		s.literal()
		return strings.Trim(s.doc[start:s.pos], "'")
	}
	for isBare(s.peek()) {
		s.pos++
	}
	return s.doc[start:s.pos]
}

// unquote decodes a basic string by the library's own rules.
func unquote(quoted string) string {
	if !strings.Contains(quoted, `\`) {
		return strings.Trim(quoted, `"`)
	}
	var v struct{ K string }
	if err := toml.Unmarshal([]byte("K = "+quoted), &v); err != nil {
		return quoted
	}
	return v.K
}

// value reads one value; its line is where it starts.
func (s *scanner) value() *node {
	n := &node{line: s.line}
	switch {
	case s.peek() == '[':
		s.array(n)
	case s.peek() == '{':
		s.inline(n)
	case s.has(`"""`):
		s.skip(3)
		s.multiline('"', true)
	case s.has(`'''`):
		s.skip(3)
		s.multiline('\'', false)
	case s.peek() == '"':
		s.basic()
	case s.peek() == '\'':
		s.literal()
	default:
		s.skipTo(",]}#\n")
	}
	return n
}

func (s *scanner) array(n *node) {
	s.skip(1)
	for s.blank(); s.pos < len(s.doc) && s.peek() != ']'; s.blank() {
		start := s.pos
		n.items = append(n.items, s.value())
		s.blank()
		if s.peek() == ',' {
			s.skip(1)
		}
		if s.pos == start {
			return
		}
	}
	s.skip(1)
}

func (s *scanner) inline(n *node) {
	s.skip(1)
	for s.blank(); s.pos < len(s.doc) && s.peek() != '}'; s.blank() {
		start := s.pos
		s.pair(n)
		s.blank()
		if s.peek() == ',' {
			s.skip(1)
		}
		if s.pos == start {
			return
		}
	}
	s.skip(1)
}

// basic moves over "a string".
func (s *scanner) basic() {
	s.skip(1)
	for s.pos < len(s.doc) && s.peek() != '"' {
		if s.peek() == '\\' {
			s.skip(1)
		}
		s.skip(1)
	}
	s.skip(1)
}

// literal moves over 'a string'.
func (s *scanner) literal() {
	s.skip(1)
	s.skipTo("'")
	s.skip(1)
}

// multiline moves over a multi-line string behind its opening quotes. The string may itself end with one or
// two quotes, so that its last three are the closing ones.
func (s *scanner) multiline(quote byte, escapes bool) {
	for run := 0; s.pos < len(s.doc); s.skip(1) {
		switch c := s.peek(); {
		case c == quote:
			run++
			continue
		case run >= 3:
			return
		case c == '\\' && escapes:
			s.skip(1)
		}
		run = 0
	}
}

func isBare(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
