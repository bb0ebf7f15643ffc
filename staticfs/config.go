package staticfs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Config describes one static location. Exactly one of Root and Alias is set.
type Config struct {
	// Root is the directory under which the whole path is looked up (nginx: root). Absolute.
	Root string
	// Alias replaces Prefix at the start of the path (nginx: alias): a directory, or the one
	// file of an exact location. Absolute; it ends in a slash if Prefix does.
	Alias string
	// Prefix is the path of the location, without "= ". Only Alias looks at it.
	Prefix string
	// Index are the names tried for a path that ends in a slash, in order (nginx: index).
	Index []string
	// Private are files and directories that the root must not contain, such as the configuration, keys and the
	// applications' code. A root that does is an error. Empty strings are ignored.
	Private []string
	// Cache is shared by all locations. Nil makes one of the default size.
	Cache *Cache
}

// base returns the cleaned root or alias, and the key it is set by.
func (c *Config) base() (path, key string) {
	if c.Alias != "" {
		return filepath.Clean(c.Alias), "alias"
	}
	return filepath.Clean(c.Root), "root"
}

// validate reports everything that is wrong with c.
func (c *Config) validate() error {
	var errs []error
	path, key := c.base()
	switch {
	case (c.Root == "") == (c.Alias == ""):
		return errors.New("a static location needs either root or alias")
	case !filepath.IsAbs(path):
		errs = append(errs, fmt.Errorf("%s %q is not an absolute path", key, path))
	default:
		errs = append(errs, checkBase(path, c.Private))
	}
	if c.Alias != "" {
		errs = append(errs, c.validateAlias())
	}
	for _, name := range c.Index {
		if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\x00") {
			errs = append(errs, fmt.Errorf("index %q is not a file name: it must have no slash and not begin with a dot", name))
		}
	}
	return errors.Join(errs...)
}

// validateAlias refuses the off-by-slash mistake, with which /static../x would leave the directory.
func (c *Config) validateAlias() error {
	if !strings.HasPrefix(c.Prefix, "/") {
		return fmt.Errorf("location %q of alias %q does not begin with a slash", c.Prefix, c.Alias)
	}
	if strings.HasSuffix(c.Prefix, "/") && !strings.HasSuffix(c.Alias, "/") {
		return fmt.Errorf("alias %q must end in a slash because its location %q does", c.Alias, c.Prefix)
	}
	return nil
}

// checkBase refuses roots that would publish the machine or what is private.
func checkBase(path string, private []string) error {
	for _, system := range []string{"/proc", "/sys", "/dev"} {
		if within(system, path) {
			return fmt.Errorf("cannot serve files from %q: it is part of %s", path, system)
		}
	}
	if path == "/" {
		return errors.New(`cannot serve files from "/": it holds the whole machine`)
	}
	for _, p := range private {
		if p != "" && within(path, filepath.Clean(p)) {
			return fmt.Errorf("cannot serve files from %q: it holds %q, which must stay private", path, p)
		}
	}
	return nil
}

// within reports whether path is dir or below it. Both are clean and absolute.
func within(dir, path string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/' || dir == "/")
}
