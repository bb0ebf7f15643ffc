package main

import (
	ctls "crypto/tls"
	"os"
	"path/filepath"
	"testing"
)

func TestScratchFiles(t *testing.T) {
	dir := t.TempDir()
	static, err := writeStatic(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios() {
		if !s.static {
			continue
		}
		info, err := os.Stat(filepath.Join(static, filepath.Base(s.path)))
		if err != nil || int(info.Size()) != s.size {
			t.Errorf("file of case %q: %v, want %d bytes", s.name, err, s.size)
		}
	}
	cert, key, err := writeCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ctls.LoadX509KeyPair(cert, key); err != nil {
		t.Errorf("certificate and key do not fit: %v", err)
	}
	if got := backlog(); got < 1 || got > 4096 {
		t.Errorf("backlog: got %d, want 1 to 4096", got)
	}
}
