package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// staticPath is the address of the static file of that size.
func staticPath(size int) string { return fmt.Sprintf("/static/%dk.txt", size/kib) }

// writeStatic makes the static files and returns their directory.
func writeStatic(dir string) (string, error) {
	static := filepath.Join(dir, "static")
	if err := os.Mkdir(static, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the directory of static files: %w", err)
	}
	for _, size := range []int{kib, 100 * kib} {
		name := filepath.Join(static, filepath.Base(staticPath(size)))
		if err := os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o644); err != nil {
			return "", fmt.Errorf("cannot write a static file: %w", err)
		}
	}
	return static, nil
}

// writeCertificate makes a self-signed certificate for this run, with the kind
// of key that is usual today, ECDSA P-256.
func writeCertificate(dir string) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("cannot make a key: %w", err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(0, 0, 2),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return "", "", fmt.Errorf("cannot make a certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key) // the one form that every peer reads
	if err != nil {
		return "", "", fmt.Errorf("cannot encode the key: %w", err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := writePEM(certFile, "CERTIFICATE", cert); err != nil {
		return "", "", err
	}
	return certFile, keyFile, writePEM(keyFile, "PRIVATE KEY", encoded)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	return nil
}

// backlog is the longest accept queue that the kernel allows (listen(2)).
// uWSGI refuses to start with a longer one; the kernel cuts it for the others.
func backlog() int {
	const usual = 4096
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return usual
	}
	allowed, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return usual
	}
	return min(allowed, usual)
}
