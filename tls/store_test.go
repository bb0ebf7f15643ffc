package tls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	ctls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Kinds of keys.
const (
	useECDSA = "ecdsa"
	useRSA   = "rsa"
	useEd    = "ed25519"
)

func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case useRSA:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case useEd:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	must(t, err)
	return key
}

// newCertificate makes a self-signed certificate whose common name is label, for the names.
func newCertificate(t testing.TB, label, kind string, names ...string) Certificate {
	t.Helper()
	return makeCertificate(t, label, kind, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), names)
}

func makeCertificate(t testing.TB, label, kind string, from, to time.Time, names []string) Certificate {
	t.Helper()
	key := newKey(t, kind)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: label}, NotBefore: from, NotAfter: to, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return Certificate{
		CertPEM:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		CertFile: label + ".crt", KeyFile: label + ".key",
	}
}

func newStore(t testing.TB, certs ...Certificate) *Store {
	t.Helper()
	s, err := New(Config{Certificates: certs})
	must(t, err)
	return s
}

// listen serves TLS: each connection is echoed. It returns the address.
func listen(t testing.TB, cfg *ctls.Config) string {
	t.Helper()
	ln, err := ctls.Listen("tcp", "127.0.0.1:0", cfg)
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// dial connects as a client that accepts any certificate.
func dial(t testing.TB, address string, cfg *ctls.Config) (*ctls.Conn, error) {
	t.Helper()
	cfg = cfg.Clone()
	cfg.InsecureSkipVerify = true
	conn, err := ctls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", address, cfg)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// label returns the common name of the certificate that a client with that configuration gets.
func label(t testing.TB, address string, cfg *ctls.Config) string {
	t.Helper()
	conn, err := dial(t, address, cfg)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestNames(t *testing.T) {
	first := newCertificate(t, "first", useECDSA)
	first.Names = []string{"first.example"}
	blog := newCertificate(t, "blog", useECDSA)
	blog.Names = []string{"Blog.example.com", ".both.example"}
	wild := newCertificate(t, "wild", useECDSA)
	wild.Names = []string{"*.example.com"}
	deep := newCertificate(t, "deep", useECDSA)
	deep.Names = []string{"*.deep.example.com"}
	own := newCertificate(t, "own", useECDSA, "own.example", "*.own.example")
	address := listen(t, newStore(t, first, blog, wild, deep, own).Config())
	f := func(name, want string) {
		t.Helper()
		if got := label(t, address, &ctls.Config{ServerName: name}); got != want {
			t.Errorf("%q gets %q; want %q", name, got, want)
		}
	}
	f("first.example", "first")
	f("blog.example.com", "blog")
	f("BLOG.EXAMPLE.COM", "blog")
	f("x.example.com", "wild")
	f("x.y.example.com", "wild")
	f("x.deep.example.com", "deep")
	f("deep.example.com", "wild")
	f("example.com", "first")
	f("both.example", "blog")
	f("x.both.example", "blog")
	f("own.example", "own")
	f("x.own.example", "own")
	f("unknown", "first")
	f("", "first")
	f("127.0.0.1", "first") // an address is no SNI
}

func TestListeners(t *testing.T) {
	public := newCertificate(t, "public", useECDSA, "a.example")
	public.Listen = []string{":443", ":8443"}
	inner := newCertificate(t, "inner", useECDSA, "b.example")
	inner.Listen, inner.DefaultFor = []string{":8443"}, []string{":8443"}
	s := newStore(t, public, inner)
	f := func(listener, name, want string) {
		t.Helper()
		if got := label(t, listen(t, s.ConfigFor(listener)), &ctls.Config{ServerName: name}); got != want {
			t.Errorf("%s: %q gets %q; want %q", listener, name, got, want)
		}
	}
	f(":443", "a.example", "public")
	f(":443", "b.example", "public") // not offered here
	f(":443", "", "public")
	f(":8443", "a.example", "public")
	f(":8443", "b.example", "inner")
	f(":8443", "", "inner")
	f("", "b.example", "inner")
	f("", "", "public")
}

func TestSeveralKindsOfKeys(t *testing.T) {
	kinds := map[string]Certificate{}
	for _, kind := range []string{useRSA, useECDSA, useEd} {
		kinds[kind] = newCertificate(t, kind, kind, "x.example")
	}
	tls12 := func(suite uint16) *ctls.Config {
		return &ctls.Config{ServerName: "x.example", MaxVersion: ctls.VersionTLS12, CipherSuites: []uint16{suite}}
	}
	f := func(cfg *ctls.Config, want string, certs ...string) {
		t.Helper()
		var list []Certificate
		for _, kind := range certs {
			list = append(list, kinds[kind])
		}
		if got := label(t, listen(t, newStore(t, list...).Config()), cfg); got != want {
			t.Errorf("of %q the client gets %q; want %q", certs, got, want)
		}
	}
	modern := &ctls.Config{ServerName: "x.example"}
	f(modern, useECDSA, useRSA, useECDSA, useEd)
	f(modern, useEd, useRSA, useEd)
	f(modern, useRSA, useRSA)
	f(&ctls.Config{}, useECDSA, useRSA, useECDSA) // the default, too
	f(&ctls.Config{ServerName: "other.example"}, useECDSA, useRSA, useECDSA)
	f(tls12(ctls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), useRSA, useRSA, useECDSA, useEd)
	f(tls12(ctls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), useECDSA, useRSA, useECDSA, useEd)
}

func TestProfile(t *testing.T) {
	address := listen(t, newStore(t, newCertificate(t, "x", useRSA, "x.example")).Config())
	f := func(cfg *ctls.Config, ok bool) {
		t.Helper()
		conn, err := dial(t, address, cfg)
		if ok != (err == nil) {
			t.Errorf("versions %x to %x, suites %x, ALPN %q: %v; want a connection: %v", cfg.MinVersion, cfg.MaxVersion, cfg.CipherSuites, cfg.NextProtos, err, ok)
		}
		if err == nil {
			conn.Close()
		}
	}
	f(&ctls.Config{MinVersion: ctls.VersionTLS13}, true)
	f(&ctls.Config{MaxVersion: ctls.VersionTLS12}, true)
	f(&ctls.Config{MinVersion: ctls.VersionTLS10, MaxVersion: ctls.VersionTLS11}, false)
	old := func(suite uint16) *ctls.Config {
		return &ctls.Config{MaxVersion: ctls.VersionTLS12, CipherSuites: []uint16{suite}}
	}
	f(old(ctls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384), true)
	f(old(ctls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256), true)
	f(old(ctls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA), false)
	f(old(ctls.TLS_RSA_WITH_AES_128_GCM_SHA256), false)
	f(&ctls.Config{NextProtos: []string{"h2", "http/1.1"}}, true)
	f(&ctls.Config{NextProtos: []string{"h2"}}, false)
	f(&ctls.Config{NextProtos: []string{"acme-tls/1"}}, false)

	conn, err := dial(t, address, &ctls.Config{NextProtos: []string{"h2", "http/1.1"}})
	must(t, err)
	if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("ALPN chose %q; want http/1.1", got)
	}
	h2, err := New(Config{Certificates: []Certificate{newCertificate(t, "x", useECDSA)}, NextProtos: []string{"h2", "http/1.1"}})
	must(t, err)
	conn, err = dial(t, listen(t, h2.Config()), &ctls.Config{NextProtos: []string{"http/1.1", "h2"}})
	must(t, err)
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("ALPN chose %q; want h2, which the server prefers", got)
	}
}

// echo sends a byte and waits for it, after which TLS 1.3 tickets have arrived.
func echo(t testing.TB, conn *ctls.Conn) {
	t.Helper()
	_, err := conn.Write([]byte("x"))
	must(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	must(t, err)
}

func TestUpdate(t *testing.T) {
	s := newStore(t, newCertificate(t, "old", useECDSA, "x.example"))
	cfg := s.Config()
	address := listen(t, cfg)
	open, err := dial(t, address, &ctls.Config{ServerName: "x.example"})
	must(t, err)
	sessions := ctls.NewLRUClientSessionCache(4)
	client := &ctls.Config{ServerName: "x.example", ClientSessionCache: sessions}
	resumed := func() bool {
		conn, err := dial(t, address, client)
		must(t, err)
		echo(t, conn)
		return conn.ConnectionState().DidResume
	}
	if resumed() || !resumed() {
		t.Error("the second connection was not resumed")
	}

	if err := s.Update([]Certificate{{CertFile: "bad.crt", KeyFile: "bad.key"}}); err == nil {
		t.Error("Update takes a bad certificate")
	}
	if got := label(t, address, &ctls.Config{ServerName: "x.example"}); got != "old" {
		t.Errorf("after a failed Update: %q; want the old certificate", got)
	}
	must(t, s.Update([]Certificate{newCertificate(t, "new", useECDSA, "x.example")}))
	if got := label(t, address, &ctls.Config{ServerName: "x.example"}); got != "new" {
		t.Errorf("after Update: %q; want the new certificate", got)
	}
	echo(t, open)
	if s.Config() != cfg || !resumed() {
		t.Error("tickets from before Update are not valid any more")
	}
}

func TestErrors(t *testing.T) {
	a, b := newCertificate(t, "a", useECDSA), newCertificate(t, "b", useECDSA)
	f := func(want []string, certs ...Certificate) {
		t.Helper()
		_, err := New(Config{Certificates: certs})
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("New = %v; want an error with %q", err, w)
			}
		}
	}
	swapped := Certificate{CertPEM: a.KeyPEM, KeyPEM: a.CertPEM, CertFile: "swapped.crt", KeyFile: "swapped.key"}
	mixed := Certificate{CertPEM: a.CertPEM, KeyPEM: b.KeyPEM, CertFile: "a.crt", KeyFile: "b.key"}
	locked := a
	locked.KeyPEM = pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})
	f([]string{"no certificate"})
	f([]string{`"a.crt"`, `"b.key"`, "does not match"}, mixed)
	f([]string{`"swapped.crt"`, `"swapped.key"`}, swapped)
	f([]string{`"a.key"`, "encrypted"}, locked)
	f([]string{`"empty.crt"`}, Certificate{CertFile: "empty.crt"})
	f([]string{`"b.key"`, `"swapped.crt"`}, a, mixed, swapped) // all of them
}

func TestWarnings(t *testing.T) {
	now := time.Now()
	expired := makeCertificate(t, "expired", useECDSA, now.Add(-2*time.Hour), now.Add(-time.Hour), []string{"x.example"})
	future := makeCertificate(t, "future", useECDSA, now.Add(time.Hour), now.Add(2*time.Hour), []string{"x.example"})
	fine := newCertificate(t, "fine", useECDSA, "x.example", "*.y.example", "z.example", "*.z.example")
	fine.Names = []string{"x.example", "a.y.example", "*.y.example", ".z.example"}
	wrong := newCertificate(t, "wrong", useECDSA, "x.example")
	wrong.Names = []string{"x.example", "other.example", "*.x.example", ".x.example"}
	got := fmt.Sprint(newStore(t, expired, future, fine, wrong).Warnings())
	for _, want := range []string{`"expired.crt" has expired`, `"future.crt" is not valid before`, `"other.example"`, `"*.x.example"`, `".x.example"`} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings are %s; want one with %s", got, want)
		}
	}
	if strings.Contains(got, "fine.crt") || strings.Count(got, "certificate") != 5 {
		t.Errorf("warnings are %s; want five", got)
	}
}

// TestOpenSSL shakes hands with a client of another make.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is missing: apt-get install openssl")
	}
	ec, other := newCertificate(t, "ec", useECDSA, "x.example"), newCertificate(t, "rsa", useRSA, "x.example")
	address := listen(t, newStore(t, newCertificate(t, "default", useECDSA, "d.example"), ec, other).Config())
	f := func(want []string, args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", append([]string{"s_client", "-connect", address}, args...)...)
		cmd.Stdin = strings.NewReader("")
		out, _ := cmd.CombinedOutput() // its status is that of the alert; the text tells
		for _, w := range want {
			if !bytes.Contains(out, []byte(w)) {
				t.Errorf("openssl s_client %q prints no %q:\n%s", args, w, out)
			}
		}
	}
	f([]string{"CN = ec", "TLSv1.3", "ALPN protocol: http/1.1"}, "-servername", "x.example", "-alpn", "h2,http/1.1")
	f([]string{"CN = rsa", "TLSv1.2"}, "-servername", "x.example", "-tls1_2", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256")
	f([]string{"CN = rsa", "TLSv1.3"}, "-servername", "x.example", "-sigalgs", "RSA-PSS+SHA256")
	f([]string{"CN = default"}, "-noservername")
	f([]string{"alert"}, "-servername", "x.example", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:AES128-SHA")
	f([]string{"no application protocol"}, "-alpn", "acme-tls/1")
}

func TestConcurrentUpdates(t *testing.T) {
	certs := []Certificate{newCertificate(t, "0", useECDSA, "x.example"), newCertificate(t, "1", useECDSA, "x.example")}
	s := newStore(t, certs[0])
	address := listen(t, s.Config())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 20 {
				if got := label(t, address, &ctls.Config{ServerName: "x.example"}); !slices.Contains([]string{"0", "1"}, got) {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	for i := range 200 {
		must(t, s.Update(certs[i%2:i%2+1]))
	}
	wg.Wait()
}
