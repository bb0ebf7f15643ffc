package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// loader turns one document into a Config. It goes on after an error, to find all of them.
type loader struct {
	name     string // of the file, as in messages
	file     string // absolute path of the file, "" when there is none
	dir      string // relative paths begin here
	findings Findings
	marks    map[any]map[string]int // lines of the keys that the document sets, by the struct they went to
}

func (l *loader) find(line int, format string, args ...any) {
	l.findings = append(l.findings, Finding{File: l.name, Line: max(line, 0), Text: fmt.Sprintf(format, args...)})
}

func (l *loader) mark(owner any, key string, line int) {
	if l.marks == nil {
		l.marks = map[any]map[string]int{}
	}
	if l.marks[owner] == nil {
		l.marks[owner] = map[string]int{}
	}
	l.marks[owner][key] = line
}

// noLine marks a key that was set without a document.
const noLine = -1

// sets reports whether the document sets the key in the table that owner was made from.
func (l *loader) sets(owner any, key string) bool { return l.marks[owner][key] != 0 }

// failed reports whether the document sets the key, to something that could not be decoded and is reported already.
func (l *loader) failed(owner any, key string) bool { return l.marks[owner]["!"+key] != 0 }

// guard calls decode, and marks the key as failed if that has found something.
func (l *loader) guard(owner any, key string, line int, decode func()) {
	before := len(l.findings)
	decode()
	if len(l.findings) > before {
		l.mark(owner, "!"+key, line)
	}
}

// line returns the line of the first of the keys that the document sets in owner's table, or else that of the table.
func (l *loader) line(owner any, keys ...string) int {
	for _, k := range append(keys, "") {
		if n := l.marks[owner][k]; n != 0 {
			return n
		}
	}
	return 0
}

// entry is one key's value and place.
type entry struct {
	value any
	at    *node
	line  int
	field field
}

// table is one table of the document, its keys checked against the schema.
type table struct {
	where   string // "in [app.blog]", for messages
	entries map[string]entry
}

// open reports the unknown and the repeated keys of a table, and decodes the others into the structs that dsts point to.
// Keys that are tables of their own, with names or in lists, are left to the caller.
func (l *loader) open(where string, v map[string]any, at *node, line int, dsts ...any) table {
	line = at.lineOr(line)
	t := table{where: where, entries: map[string]entry{}}
	var fields []field
	for _, dst := range dsts {
		fields = append(fields, schema(reflect.TypeOf(dst).Elem())...)
		l.mark(dst, "", line)
	}
	spelled := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		e := entry{value: v[key], at: at.child(key), line: at.child(key).lineOr(line)}
		name, known := canonical(fields, key)
		if !known {
			l.find(e.line, "unknown key %q %s%s", key, where, l.advice(name, fields))
			continue
		}
		if _, again := t.entries[name]; again {
			l.find(e.line, "keys %q and %q %s are two spellings of one key; keep one", spelled[name], key, where)
			continue
		}
		e.field = fields[slices.IndexFunc(fields, func(f field) bool { return f.key == name })]
		t.entries[name], spelled[name] = e, key
	}
	for _, dst := range dsts {
		l.fill(t, dst)
	}
	return t
}

// advice returns what to write instead of an unknown key.
func (l *loader) advice(key string, fields []field) string {
	if h := hint(key); h != "" {
		return "; " + h
	}
	if homes := homesOf(key); len(homes) > 0 {
		return "; it is a key of " + strings.Join(homes, " or ")
	}
	return didYouMean(key, keysOf(fields), "")
}

// fill decodes the keys of t that the struct behind dst has.
func (l *loader) fill(t table, dst any) {
	rv := reflect.ValueOf(dst).Elem()
	for _, f := range schema(rv.Type()) {
		e, ok := t.entries[f.key]
		if !ok || isTables(rv.FieldByIndex(f.index).Type()) {
			continue
		}
		l.mark(dst, f.key, e.line)
		l.guard(dst, f.key, e.line, func() { l.key(t, e, dst, rv.FieldByIndex(f.index)) })
	}
}

// isTables reports whether a field is decoded by the caller of open.
func isTables(t reflect.Type) bool {
	return t == reflect.TypeFor[map[string]*App]() || t == reflect.TypeFor[[]*Server]() || t == reflect.TypeFor[[]*Location]()
}

// key decodes one key's value into rv, a field of the struct behind owner.
func (l *loader) key(t table, e entry, owner any, rv reflect.Value) {
	_, own := rv.Addr().Interface().(decodable)
	switch {
	case own:
		l.scalar(t, e, rv)
	case rv.Kind() == reflect.Struct:
		l.inner(t, e, rv.Addr().Interface())
	case rv.Kind() == reflect.Slice:
		l.list(t, e, owner, rv)
	case rv.Kind() == reflect.Map:
		l.strings(t, e, owner, rv)
	case rv.Kind() == reflect.Pointer:
		if e.value != "" {
			p := reflect.New(rv.Type().Elem())
			if l.scalar(t, e, p.Elem()) {
				rv.Set(p)
			}
		}
	default:
		l.scalar(t, e, rv)
	}
}

// scalar decodes one value that is not a list or table. After an error rv is what it was, so that no later check finds fault with it.
func (l *loader) scalar(t table, e entry, rv reflect.Value) bool {
	fresh := reflect.New(rv.Type()).Elem()
	fresh.Set(rv)
	if err := decodeScalar(e, fresh); err != nil {
		l.find(e.line, "%s %s: %v", e.field.key, t.where, err)
		return false
	}
	rv.Set(fresh)
	return true
}

func decodeScalar(e entry, rv reflect.Value) error {
	if d, ok := rv.Addr().Interface().(decodable); ok {
		return d.decode(e.value)
	}
	switch v := e.value.(type) {
	case string:
		if rv.Kind() == reflect.String {
			rv.SetString(v)
			return nil
		}
	case bool:
		if rv.Kind() == reflect.Bool {
			rv.SetBool(v)
			return nil
		}
	case int64:
		if rv.Kind() == reflect.Int && v >= -maxCount && v <= maxCount {
			rv.SetInt(v)
			return nil
		}
	}
	switch rv.Kind() {
	case reflect.Bool:
		return errors.New("expected true or false; found " + describe(e.value))
	case reflect.Int:
		return expected("a whole number", strconv.FormatInt(max(rv.Int(), 1), 10), e.value)
	}
	if strings.HasPrefix(e.field.example, "[") {
		return expected("a list of strings", e.field.example, e.value)
	}
	return expected("a string", e.field.example, e.value)
}

// inner decodes a table within a table: [log], [http], certificate.
func (l *loader) inner(t table, e entry, dst any) {
	name, where := e.field.key, "in "+e.field.key+" "+t.where
	if t.where == topLevel {
		name, where = "["+name+"]", "in ["+name+"]"
	}
	switch v := e.value.(type) {
	case map[string]any:
		l.open(where, v, e.at, e.line, dst)
		return
	case string:
		if _, ok := dst.(*Certificate); ok {
			l.find(e.line, "certificate %s: %q: this version has certificates from files only; "+
				"write certificate = { cert = \"/path/to/chain.pem\", key = \"/path/to/key.pem\" }", t.where, shorten(v))
			return
		}
	}
	l.find(e.line, "%s %s: expected one table, written %s; found %s", name, t.where, tableExample(dst), describe(e.value))
}

func tableExample(dst any) string {
	switch dst.(type) {
	case *Certificate:
		return `certificate = { cert = "chain.pem", key = "key.pem" }`
	case *Log:
		return "[log]"
	}
	return "[http]"
}

// list decodes an array; a single value counts as an array of one, as in nginx. An empty array becomes nil.
func (l *loader) list(t table, e entry, owner any, rv reflect.Value) {
	values, ok := e.value.([]any)
	if !ok {
		values = []any{e.value}
		if _, isTable := e.value.([]map[string]any); isTable {
			l.find(e.line, "%s %s: %v", e.field.key, t.where, expected("a list", e.field.example, e.value))
			return
		}
	}
	out := reflect.Zero(rv.Type())
	for i, v := range values {
		item := entry{value: v, at: e.at.item(i), line: e.at.item(i).lineOr(e.line), field: e.field}
		elem := reflect.New(rv.Type().Elem()).Elem()
		if l.scalar(t, item, elem) {
			l.mark(owner, indexed(e.field.key, out.Len()), item.line)
			out = reflect.Append(out, elem)
		}
	}
	rv.Set(out)
}

// indexed is the name of a list's element in marks.
func indexed(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

// strings decodes a table of strings. An empty one becomes nil.
func (l *loader) strings(t table, e entry, owner any, rv reflect.Value) {
	v, ok := e.value.(map[string]any)
	if !ok {
		l.find(e.line, "%s %s: %v", e.field.key, t.where, expected("a table of strings", e.field.example, e.value))
		return
	}
	var out map[string]string
	for _, key := range slices.Sorted(maps.Keys(v)) {
		s, ok := v[key].(string)
		line := e.at.child(key).lineOr(e.line)
		l.mark(owner, e.field.key+"."+key, line)
		if !ok {
			l.find(line, "%q in %s %s: %v", key, e.field.key, t.where, expected("a string", `"1"`, v[key]))
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = s
	}
	rv.Set(reflect.ValueOf(out))
}
