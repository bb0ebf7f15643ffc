package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// received is what testdata/apps/bodies.py answers.
type received struct {
	SHA256        string
	Bytes, Pieces int
	Types         []string
	AsAFile       bool `json:"as_a_file"`
	AtEnd         bool `json:"at_end"`
	ContentLength any  `json:"content_length"`
}

// lines is a body of n bytes with lines of many lengths, one of them far longer than any buffer.
func lines(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(string(rune('a'+i%26)), i%97))
		if i == 40 {
			b.WriteString(strings.Repeat("long", 5000))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()[:n]
}

// TestInput reads wsgi.input by every method, from bodies that travel in a packet, that
// travel as a descriptor, and that came in chunks; each call must do what it does on a binary file.
func TestInput(t *testing.T) {
	s := start(t, site{module: "bodies:app", location: `client_max_body_size = "64m"`}.String())
	how := []string{
		"/read", "/read-none", "/read-minus", "/read-zero", "/read-size/1000", "/read-size/65536", "/readline", "/readline-size/50",
		"/readlines", "/readlines-hint/5000", "/iterate", "/mixed", "/for-then-read",
	}
	for _, size := range []int{0, 1, 1000, 60_000, 70_000, 3_000_000} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, chunked %t", size, chunked), func(t *testing.T) {
				s.t = t
				body := lines(size)
				for _, path := range how {
					wantReceived(t, path, s.post(path, body, chunked), body)
				}
			})
		}
	}
}

// post sends a body; chunked hides its length from the client.
func (s *server) post(path string, body []byte, chunked bool) answer {
	s.t.Helper()
	var reader io.Reader = bytes.NewReader(body)
	if chunked {
		reader = struct{ io.Reader }{reader}
	}
	return s.send("POST", path, reader, "Content-Type: application/octet-stream")
}

func wantReceived(t *testing.T, path string, a answer, body []byte) {
	t.Helper()
	got := decode[received](t, a)
	sum := sha256.Sum256(body)
	if got.Bytes != len(body) || got.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%s: the application read %d bytes, sum %s; want %d, %x", path, got.Bytes, got.SHA256, len(body), sum)
	}
	if !got.AsAFile || !got.AtEnd {
		t.Errorf("%s: like a binary file: %t, at its end: %t; want both (%d pieces)", path, got.AsAFile, got.AtEnd, got.Pieces)
	}
	for _, kind := range got.Types {
		if kind != "bytes" {
			t.Errorf("%s: pieces of type %s; want bytes", path, kind)
		}
	}
	if length := fmt.Sprint(got.ContentLength); length != itoa(len(body)) && (len(body) > 0 || got.ContentLength != nil && length != "") {
		t.Errorf("%s: CONTENT_LENGTH %q; want %d", path, length, len(body))
	}
}

// TestUnreadInput: what an application leaves unread does not disturb the next request on the connection.
func TestUnreadInput(t *testing.T) {
	s := start(t, site{module: "bodies:app", location: `client_max_body_size = "64m"`}.String())
	c := client(t)
	for _, path := range []string{"/nothing", "/part/10", "/part/70000"} {
		for _, size := range []int{100, 100_000, 2_000_000} {
			for range 3 {
				req, err := http.NewRequest("POST", s.url(path), bytes.NewReader(lines(size)))
				if err != nil {
					t.Fatal(err)
				}
				roundTrip(t, c, req).wantStatus(t, 200)
			}
		}
	}
	body := lines(500)
	wantReceived(t, "/read", s.post("/read", body, false), body)
}

// TestExpectContinue: the body is asked for before it is sent, and then arrives.
func TestExpectContinue(t *testing.T) {
	s := start(t, site{module: "bodies:app"}.String())
	c := s.dial()
	c.send("POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if got := c.readUntil("\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 100 ") {
		t.Fatalf("got %q; want 100 Continue", got)
	}
	c.send("12345")
	wantReceived(t, "/read", c.read("POST"), []byte("12345"))
}

// TestBodyTooLarge: a body over client_max_body_size is a 413 and never reaches the application, declared or not.
func TestBodyTooLarge(t *testing.T) {
	s := start(t, site{module: "bodies:app", server: `client_max_body_size = "10k"`}.String())
	s.post("/read", lines(10<<10), false).wantStatus(t, 200)
	c := s.dial()
	c.send("POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10241\r\n\r\n")
	c.read("POST").wantStatus(t, 413)
	c = s.dial()
	c.send("POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2801\r\n" + strings.Repeat("x", 0x2801) + "\r\n0\r\n\r\n")
	c.read("POST").wantStatus(t, 413)
	c = s.dial()
	c.send("POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10241\r\nExpect: 100-continue\r\n\r\n")
	c.read("POST").wantStatus(t, 413)
}
