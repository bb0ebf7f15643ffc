package tls

import (
	ctls "crypto/tls"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Store begins with.
type Config struct {
	Certificates []Certificate
	// NextProtos are the protocols offered by ALPN (RFC 7301), best first. Empty means "http/1.1" alone.
	NextProtos []string
}

// Store holds the certificates of all listeners.
type Store struct {
	protos   []string
	current  atomic.Pointer[table]
	warnings atomic.Pointer[[]error]

	mu      sync.Mutex // guards configs
	configs map[string]*ctls.Config
}

// New loads the certificates of cfg. Its error names the files of every pair that cannot be used.
func New(cfg Config) (*Store, error) {
	s := &Store{protos: cfg.NextProtos, configs: map[string]*ctls.Config{}}
	if len(s.protos) == 0 {
		s.protos = []string{"http/1.1"}
	}
	if err := s.Update(cfg.Certificates); err != nil {
		return nil, err
	}
	return s, nil
}

// Update replaces all certificates, for handshakes from now on. On an error nothing changes.
func (s *Store) Update(certs []Certificate) error {
	t, warnings, err := newTable(certs, time.Now())
	if err != nil {
		return err
	}
	s.warnings.Store(&warnings)
	s.current.Store(t)
	return nil
}

// Warnings returns what clients will complain about in the certificates that are in use: expiry, and names that they do not have.
func (s *Store) Warnings() []error { return *s.warnings.Load() }

// Config returns the configuration for a listener that offers all certificates; the first is its default.
func (s *Store) Config() *ctls.Config { return s.ConfigFor("") }

// ConfigFor returns the configuration for the listener that certificates name in Listen and DefaultFor. It
// is always the same one, so that session tickets stay valid; it follows every Update, and must not be changed.
func (s *Store) ConfigFor(listen string) *ctls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cfg := s.configs[listen]; cfg != nil {
		return cfg
	}
	cfg := &ctls.Config{
		GetCertificate: func(hello *ctls.ClientHelloInfo) (*ctls.Certificate, error) {
			return s.current.Load().of(listen).choose(hello)
		},
		MinVersion:   ctls.VersionTLS12,
		CipherSuites: cipherSuites(),
		NextProtos:   s.protos,
	}
	s.configs[listen] = cfg
	return cfg
}

// cipherSuites are those of TLS 1.2 with forward secrecy and authenticated encryption. Those of TLS 1.3 all have both. The
// standard library puts them in order by what the hardware does well.
func cipherSuites() []uint16 {
	return []uint16{
		ctls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		ctls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		ctls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		ctls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		ctls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		ctls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}
