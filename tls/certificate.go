package tls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	ctls "crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Certificate is a certificate chain, leaf first, and its key.
type Certificate struct {
	// CertPEM and KeyPEM are the chain and the key (nginx: ssl_certificate, ssl_certificate_key).
	CertPEM, KeyPEM []byte
	// CertFile and KeyFile are where they come from, for messages.
	CertFile, KeyFile string
	// Names are what clients ask for to get this certificate: "example.com", "*.example.com", or ".example.com"
	// for both (nginx: server_name). Empty means the names in the certificate.
	Names []string
	// Listen are the listeners that offer the certificate, named as for Store.ConfigFor. Empty means all.
	Listen []string
	// DefaultFor are the listeners whose default certificate it is (nginx: default_server). A listener
	// without one takes the first certificate that it offers.
	DefaultFor []string
}

// load checks a pair and returns it with what is suspicious about it.
func (c *Certificate) load(now time.Time) (pair *ctls.Certificate, warnings []error, err error) {
	if err := checkKey(c.KeyPEM); err != nil {
		return nil, nil, fmt.Errorf("key %q %w", c.KeyFile, err)
	}
	p, err := ctls.X509KeyPair(c.CertPEM, c.KeyPEM)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use certificate %q with key %q: %w", c.CertFile, c.KeyFile, err)
	}
	return &p, c.suspicions(p.Leaf, now), nil
}

// checkKey finds the mistakes that the standard library has no clear words for.
func checkKey(b []byte) error {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return errors.New("is encrypted, and nobody is there to type its password: decrypt it with openssl pkey -in FILE -out NEWFILE")
		}
	}
}

// suspicions are the reasons for which clients will complain.
func (c *Certificate) suspicions(leaf *x509.Certificate, now time.Time) (found []error) {
	warn := func(format string, args ...any) {
		found = append(found, fmt.Errorf("certificate %q "+format, append([]any{c.CertFile}, args...)...))
	}
	switch {
	case now.After(leaf.NotAfter):
		warn("has expired on %s", leaf.NotAfter.UTC().Format(time.RFC1123))
	case now.Before(leaf.NotBefore):
		warn("is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC1123))
	}
	for _, name := range c.Names {
		if !covers(leaf, name) {
			warn("is not for the name %q, but for %q", name, namesOf(leaf))
		}
	}
	return found
}

// covers reports whether clients accept leaf for a server_name. A wildcard must accept a name that it stands for.
func covers(leaf *x509.Certificate, name string) bool {
	if base, ok := strings.CutPrefix(name, "*."); ok {
		return leaf.VerifyHostname("any."+base) == nil
	}
	if base, ok := strings.CutPrefix(name, "."); ok {
		return covers(leaf, base) && covers(leaf, "*."+base)
	}
	return leaf.VerifyHostname(name) == nil
}

// namesOf returns the names in a certificate.
func namesOf(leaf *x509.Certificate) []string {
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// preference orders the certificates of one name: the cheaper signature first.
func preference(c *ctls.Certificate) int {
	switch c.Leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return 0
	case ed25519.PublicKey:
		return 1
	case *rsa.PublicKey:
		return 2
	}
	return 3
}
