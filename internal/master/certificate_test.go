package master

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hognose/internal/config"
)

// writeCertificate makes a self-signed certificate and its key.
func writeCertificate(t *testing.T, dir, name string) config.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := config.Certificate{Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key")}
	must(os.WriteFile(c.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(os.WriteFile(c.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return c
}

func TestReadCertificates(t *testing.T) {
	dir := t.TempDir()
	a, b := writeCertificate(t, dir, "a"), writeCertificate(t, dir, "b")
	cfg := &config.Config{Servers: []*config.Server{{Certificate: a}, {}, {Certificate: b}, {Certificate: a}}}
	got, err := readCertificates(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].CertFile != a.Cert || got[1].KeyFile != b.Key || len(got[1].KeyPEM) == 0 || len(got[0].CertPEM) == 0 {
		t.Errorf("got %d certificates %+v; want a and b", len(got), got)
	}
	cfg.Servers[0].Certificate.Key = b.Key
	if _, err := readCertificates(cfg); err == nil || !strings.Contains(err.Error(), a.Cert) || !strings.Contains(err.Error(), b.Key) {
		t.Errorf("a certificate with another's key: %v; want an error that names both", err)
	}
}

func TestKeyMode(t *testing.T) {
	c := writeCertificate(t, t.TempDir(), "a")
	root := os.Geteuid() == 0
	f := func(mode os.FileMode, ok bool) {
		t.Helper()
		must(os.Chmod(c.Key, mode))
		_, err := readKey(c.Key)
		if (err == nil) != ok {
			t.Errorf("mode %04o: %v; want it accepted: %t", mode, err, ok)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod go-rwx "+c.Key) {
			t.Errorf("mode %04o: %v; want it to say what to do", mode, err)
		}
	}
	f(0o600, true)
	f(0o400, true)
	f(0o640, root)
	f(0o660, false)
	f(0o644, false)
	f(0o604, false)
}
