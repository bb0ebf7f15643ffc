package config

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Print writes the configuration as TOML: all that is in force, defaults and inherited settings included, paths absolute. Parse
// reads it back as an equal Config. Values of env are among it, secrets too.
func (c *Config) Print(w io.Writer) error {
	var b bytes.Buffer
	printKeys(&b, c)
	b.WriteString("\n[log]\n")
	printKeys(&b, &c.Log)
	b.WriteString("\n[http]\n")
	printKeys(&b, &c.HTTP)
	for _, name := range sortedKeys(c.Apps) {
		b.WriteString("\n" + c.Apps[name].where() + "\n")
		printKeys(&b, c.Apps[name])
	}
	for _, s := range c.Servers {
		b.WriteString("\n[[server]]\n")
		printKeys(&b, s)
		for _, loc := range s.Locations {
			b.WriteString("\n[[server.location]]\n")
			printKeys(&b, loc)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// printKeys writes the keys of a struct that are not tables themselves. Empty ones are left out: they are not set.
func printKeys(b *bytes.Buffer, ptr any) {
	rv := reflect.ValueOf(ptr).Elem()
	for _, f := range schema(rv.Type()) {
		if v := literal(rv.FieldByIndex(f.index)); v != "" {
			fmt.Fprintf(b, "%s = %s\n", f.key, v)
		}
	}
}

// literal returns a value in TOML, or "" for one that is not set or has a table of its own.
func literal(rv reflect.Value) string {
	switch v := rv.Interface().(type) {
	case Log, HTTP, []*Server, []*Location, map[string]*App:
		return ""
	case Peers:
		return literal(reflect.ValueOf(v.strings()))
	case Certificate:
		if v == (Certificate{}) {
			return ""
		}
		return "{ cert = " + quote(v.Cert) + ", key = " + quote(v.Key) + " }"
	case map[string]string:
		return inlineTable(v)
	case Count:
		if v != 0 {
			return strconv.Itoa(int(v))
		}
		return quote(v.String())
	case fmt.Stringer:
		if rv.Kind() == reflect.Pointer && rv.IsNil() || v.String() == "" {
			return ""
		}
		return quote(v.String())
	case string:
		if v == "" {
			return ""
		}
		return quote(v)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	if rv.Kind() != reflect.Slice {
		panic("bug: no TOML notation for " + rv.Type().String())
	}
	return array(rv)
}

// array returns a list, in which an element may well be empty.
func array(rv reflect.Value) string {
	items := make([]string, rv.Len())
	for i := range items {
		if items[i] = literal(rv.Index(i)); items[i] == "" {
			items[i] = `""`
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func inlineTable(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	var pairs []string
	for _, k := range sortedKeys(m) {
		pairs = append(pairs, bareOrQuoted(k)+" = "+quote(m[k]))
	}
	return "{ " + strings.Join(pairs, ", ") + " }"
}

// bareOrQuoted returns a TOML key.
func bareOrQuoted(key string) string {
	for i := range len(key) {
		if !isBare(key[i]) {
			return quote(key)
		}
	}
	if key == "" {
		return `""`
	}
	return key
}

// quote returns a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
