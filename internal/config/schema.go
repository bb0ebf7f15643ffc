package config

import (
	"reflect"
	"strings"
)

// field is one key of the schema, read from the tags of the struct that holds it.
type field struct {
	key      string
	aliases  []string
	example  string // TOML
	location bool   // a key of HTTP that a location may set
	index    []int  // for reflect.Value.FieldByIndex
}

// schema returns the keys of a struct in the order of its fields, those of inlined structs included.
func schema(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if key == "-" {
			continue
		}
		if key == "" {
			for _, inner := range schema(f.Type) {
				if options == "inline" || inner.location { // "inline=location" takes only the location's keys
					inner.index = append([]int{i}, inner.index...)
					fields = append(fields, inner)
				}
			}
			continue
		}
		fields = append(fields, field{
			key:      key,
			aliases:  strings.Fields(f.Tag.Get("alias")),
			example:  f.Tag.Get("eg"),
			location: options == "location",
			index:    []int{i},
		})
	}
	return fields
}

// appWords are keys of [app.NAME] that are understood but change nothing.
type appWords struct {
	Master bool `toml:"master"`
}

// locationWords are keys of [[server.location]] in nginx's spelling, for what Location already has.
type locationWords struct {
	Include   string `toml:"include" eg:"\"uwsgi_params\""`
	UWSGIPass string `toml:"uwsgi_pass" eg:"\"127.0.0.1:3031\""`
}

// section is one kind of table in the file.
type section struct {
	name  string // as the file's reader knows it
	types []reflect.Type
}

// sections returns all kinds of tables.
func sections() []section {
	return []section{
		{"the top level", []reflect.Type{reflect.TypeFor[Config]()}},
		{"[log]", []reflect.Type{reflect.TypeFor[Log]()}},
		{"[http]", []reflect.Type{reflect.TypeFor[HTTP]()}},
		{"[app.NAME]", []reflect.Type{reflect.TypeFor[App](), reflect.TypeFor[appWords]()}},
		{"[[server]]", []reflect.Type{reflect.TypeFor[Server]()}},
		{"[[server.location]]", []reflect.Type{reflect.TypeFor[Location](), reflect.TypeFor[locationWords]()}},
	}
}

// fields returns the keys of a section.
func (s section) fields() []field {
	var fields []field
	for _, t := range s.types {
		fields = append(fields, schema(t)...)
	}
	return fields
}

// canonical returns the schema's spelling of a key, and whether there is such a key. uWSGI's options are often written with "-".
func canonical(fields []field, key string) (string, bool) {
	key = strings.ReplaceAll(key, "-", "_")
	for _, f := range fields {
		if f.key == key {
			return key, true
		}
		for _, alias := range f.aliases {
			if alias == key {
				return f.key, true
			}
		}
	}
	return key, false
}

// keysOf returns the names of keys, other spellings included.
func keysOf(fields []field) []string {
	var keys []string
	for _, f := range fields {
		keys = append(append(keys, f.key), f.aliases...)
	}
	return keys
}

// homesOf returns the names of the sections that have the key.
func homesOf(key string) []string {
	var homes []string
	for _, s := range sections() {
		if _, ok := canonical(s.fields(), key); ok {
			homes = append(homes, s.name)
		}
	}
	return homes
}
