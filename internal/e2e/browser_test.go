package e2e

import (
	"image"
	"image/png"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestAdminInBrowser opens the Django admin over TLS with a real browser and looks at the picture: it is styled, so the
// style sheet came through the alias.
func TestAdminInBrowser(t *testing.T) {
	chromium := need(t, "chromium", "chromium", "chromium-browser", "google-chrome")
	s := startSites(t)
	_, port, err := net.SplitHostPort(s.address("$TLS"))
	if err != nil {
		t.Fatal(err)
	}
	shot := s.file("admin.png")
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
		"--ignore-certificate-errors", "--user-data-dir="+s.file("chromium"), "--hide-scrollbars", "--window-size=1000,700",
		"--screenshot="+shot, "https://localhost:"+port+"/admin/")
	cmd.Env = append(os.Environ(), "HOME="+s.file("home"))
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
	wantStyled(t, shot)
	wantLogged(t, s, "/admin/login/", "/static/admin/css/base.css", "/static/admin/css/login.css")
}

// wantStyled looks for the admin's header, a bar of dark blue-green (#417690) across the page on a light ground.
func wantStyled(t *testing.T, shot string) {
	t.Helper()
	file, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if teal := countColour(picture, 0x41, 0x76, 0x90); teal < 1000 {
		t.Errorf("%d of %v pixels have the colour of the admin's header; want it styled", teal, picture.Bounds().Size())
	}
}

func countColour(picture image.Image, r, g, b uint32) int {
	n := 0
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if pr, pg, pb, _ := picture.At(x, y).RGBA(); pr>>8 == r && pg>>8 == g && pb>>8 == b {
				n++
			}
		}
	}
	return n
}

// wantLogged waits until the access log has a 200 for each of these paths.
func wantLogged(t *testing.T, s *server, paths ...string) {
	t.Helper()
	for _, path := range paths {
		eventually(t, "the access log has "+path+" with 200", func() bool {
			for line := range strings.Lines(s.read("access.log")) {
				if strings.Contains(line, `"GET `+path) && strings.Contains(line, `" 200 `) {
					return true
				}
			}
			return false
		})
	}
}
