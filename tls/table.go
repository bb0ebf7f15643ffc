package tls

import (
	"cmp"
	ctls "crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"
)

// table is what the certificates of one configuration mean: a selection for each listener, and one of all. Immutable.
type table struct {
	all       *selection
	listeners map[string]*selection
}

// newTable loads the certificates. The error holds everything that is wrong with them.
func newTable(certs []Certificate, now time.Time) (t *table, warnings []error, err error) {
	if len(certs) == 0 {
		return nil, nil, errors.New("there is no certificate")
	}
	t = &table{all: newSelection(), listeners: map[string]*selection{}}
	for i := range certs {
		for _, name := range slices.Concat(certs[i].Listen, certs[i].DefaultFor) {
			t.listeners[name] = newSelection()
		}
	}
	var errs []error
	for i := range certs {
		pair, found, err := certs[i].load(now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		warnings = append(warnings, found...)
		t.add(&certs[i], pair)
	}
	t.all.finish()
	for _, s := range t.listeners {
		s.finish()
	}
	return t, warnings, errors.Join(errs...)
}

func (t *table) add(c *Certificate, pair *ctls.Certificate) {
	t.all.add(c, pair, false)
	for name, s := range t.listeners {
		isDefault := slices.Contains(c.DefaultFor, name)
		if isDefault || len(c.Listen) == 0 || slices.Contains(c.Listen, name) {
			s.add(c, pair, isDefault)
		}
	}
}

// of returns the selection of a listener. One that no certificate names offers all.
func (t *table) of(listen string) *selection {
	if s := t.listeners[listen]; s != nil {
		return s
	}
	return t.all
}

// selection are the certificates that one listener offers, those of one name in order of preference.
type selection struct {
	exact     map[string][]*ctls.Certificate
	wildcards map[string][]*ctls.Certificate // by the name without "*."
	defaults  []*ctls.Certificate
	first     []*ctls.Certificate // the first that was added, and those that share its names
	names     []string            // of first
}

func newSelection() *selection {
	return &selection{exact: map[string][]*ctls.Certificate{}, wildcards: map[string][]*ctls.Certificate{}}
}

func (s *selection) add(c *Certificate, pair *ctls.Certificate, isDefault bool) {
	names := c.Names
	if len(names) == 0 {
		names = namesOf(pair.Leaf)
	}
	for _, name := range names {
		name = strings.ToLower(name)
		base, isWildcard := strings.CutPrefix(name, "*.")
		if dotted, ok := strings.CutPrefix(name, "."); ok {
			base, isWildcard = dotted, true
			s.exact[base] = append(s.exact[base], pair)
		}
		if isWildcard {
			s.wildcards[base] = append(s.wildcards[base], pair)
		} else {
			s.exact[name] = append(s.exact[name], pair)
		}
	}
	if s.first == nil {
		s.names = names
	}
	if slices.Equal(s.names, names) {
		s.first = append(s.first, pair)
	}
	if isDefault {
		s.defaults = append(s.defaults, pair)
	}
}

// finish makes a selection ready for use.
func (s *selection) finish() {
	if s.defaults == nil {
		s.defaults = s.first
	}
	order := func(certs []*ctls.Certificate) {
		slices.SortStableFunc(certs, func(a, b *ctls.Certificate) int { return cmp.Compare(preference(a), preference(b)) })
	}
	for _, certs := range s.exact {
		order(certs)
	}
	for _, certs := range s.wildcards {
		order(certs)
	}
	order(s.defaults)
}

// lookup returns the certificates for a name: exact, longest wildcard, default.
func (s *selection) lookup(name string) []*ctls.Certificate {
	name = strings.ToLower(name)
	if certs := s.exact[name]; certs != nil {
		return certs
	}
	for rest := name; ; {
		_, base, found := strings.Cut(rest, ".")
		if !found {
			return s.defaults
		}
		if certs := s.wildcards[base]; certs != nil {
			return certs
		}
		rest = base
	}
}

// choose returns the first certificate for the client's name that the client can verify, or the last.
func (s *selection) choose(hello *ctls.ClientHelloInfo) (*ctls.Certificate, error) {
	certs := s.lookup(hello.ServerName)
	if len(certs) == 0 {
		return nil, errors.New("the listener offers no certificate")
	}
	last := len(certs) - 1
	if last > 0 {
		// A name that the certificate does not have is the client's to judge, not a reason to send it another.
		anonymous := *hello
		anonymous.ServerName = ""
		for _, c := range certs[:last] {
			if anonymous.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
	}
	return certs[last], nil
}
