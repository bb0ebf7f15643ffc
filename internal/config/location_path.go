package config

import (
	"errors"
	"fmt"
	"strings"
)

// LocationPath says which requests a location takes: those below a prefix ("/static/"), or for one exact path ("= /favicon.ico").
// It is compared with the decoded, normalised path of a request. A prefix matches only up to a
// segment's end: "/static" takes "/static" and "/static/a", never "/statics".
type LocationPath struct {
	Path  string
	Exact bool
}

// ParseLocationPath reads "/prefix" or "= /exact".
func ParseLocationPath(s string) (LocationPath, error) {
	var p LocationPath
	rest, exact := strings.CutPrefix(s, "=")
	if exact {
		rest = strings.TrimLeft(rest, " ")
	}
	switch {
	case strings.HasPrefix(s, "~"):
		return p, fmt.Errorf("%q is a regular expression; locations are prefixes (\"/static/\") or exact (\"= /favicon.ico\")", shorten(s))
	case strings.HasPrefix(s, "^~"):
		return p, fmt.Errorf("%q: there are no regular expression locations that \"^~\" could come before; write the path alone", shorten(s))
	case strings.HasPrefix(s, "@"):
		return p, fmt.Errorf("%q is a named location; locations are prefixes (\"/static/\") or exact (\"= /favicon.ico\")", shorten(s))
	case !strings.HasPrefix(rest, "/"):
		return p, fmt.Errorf("%q does not start with \"/\"; write \"/static/\", or \"= /favicon.ico\" for one exact path", shorten(s))
	}
	if err := checkURLPath(rest); err != nil {
		return p, err
	}
	return LocationPath{Path: rest, Exact: exact}, nil
}

// checkURLPath refuses a path that no normalised request path can be equal to or start with.
func checkURLPath(p string) error {
	switch {
	case hasControl(p):
		return fmt.Errorf("path %q has a control character", shorten(p))
	case strings.ContainsAny(p, "?#"):
		return fmt.Errorf("path %q has a \"?\" or \"#\"; only the path of a URL is compared", shorten(p))
	case hasPercentCode(p):
		return fmt.Errorf("path %q has a percent code; write the character itself, paths are compared decoded", shorten(p))
	case strings.Contains(p, "//"):
		return fmt.Errorf("path %q has an empty segment (\"//\")", shorten(p))
	}
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "." || segment == ".." {
			return errors.New("path \"" + shorten(p) + "\" has a \"" + segment + "\" segment, which no request keeps")
		}
	}
	return nil
}

func hasPercentCode(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// String returns the notation that ParseLocationPath reads.
func (p LocationPath) String() string {
	if p.Exact {
		return "= " + p.Path
	}
	return p.Path
}

func (p *LocationPath) decode(v any) error {
	s, ok := v.(string)
	if !ok {
		return expected("a path", `"/static/" or "= /favicon.ico"`, v)
	}
	parsed, err := ParseLocationPath(s)
	*p = parsed
	return err
}
