package master

import (
	ctls "crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"hognose/internal/config"
	"hognose/internal/wire"
)

// readCertificates reads the certificates and keys that the servers name, each pair once, and checks that they belong together.
func readCertificates(cfg *config.Config) ([]wire.Certificate, error) {
	var all []wire.Certificate
	var errs []error
	for _, server := range cfg.Servers {
		c := server.Certificate
		known := func(w wire.Certificate) bool { return w.CertFile == c.Cert && w.KeyFile == c.Key }
		if c == (config.Certificate{}) || slices.ContainsFunc(all, known) {
			continue
		}
		w, err := readCertificate(c)
		errs = append(errs, err)
		all = append(all, w)
	}
	return all, errors.Join(errs...)
}

func readCertificate(c config.Certificate) (wire.Certificate, error) {
	w := wire.Certificate{CertFile: c.Cert, KeyFile: c.Key}
	var err error
	if w.CertPEM, err = os.ReadFile(c.Cert); err != nil {
		return w, fmt.Errorf("cannot read the certificate: %w", err)
	}
	if w.KeyPEM, err = readKey(c.Key); err != nil {
		return w, err
	}
	if _, err := ctls.X509KeyPair(w.CertPEM, w.KeyPEM); err != nil {
		return w, fmt.Errorf("certificate %q and key %q cannot be used: %w", c.Cert, c.Key, err)
	}
	return w, nil
}

// readKey reads a private key, unless its mode lets others read or change it.
func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	if err := checkKeyMode(path, st); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// checkKeyMode allows a key to its owner alone, or to the group of an owner that is root: Debian's ssl-cert has keys of mode 0640.
func checkKeyMode(path string, st fs.FileInfo) error {
	mode := st.Mode().Perm()
	owner, known := st.Sys().(*syscall.Stat_t)
	byRoot := known && owner.Uid == 0
	if mode&0o077 == 0 || byRoot && mode&0o037 == 0 {
		return nil
	}
	return fmt.Errorf("private key %q has mode %04o, so that other users can get at it; run \"chmod go-rwx %s\"", path, mode, path)
}
