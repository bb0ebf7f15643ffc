package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// staticSite serves a folder by alias and another one by root.
const staticSite = `
[[server]]
listen = ["$HTTP", "$TLS ssl"]
certificate = { cert = "$CERT", key = "$KEY" }
root = "$DIR/www"

[[server.location]]
path = "/static/"
alias = "$DIR/assets/"

[[server.location]]
path = "/"
index = ["index.html"]
`

var modified = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func startStatic(t *testing.T) *server {
	t.Helper()
	v := newVariables(t)
	for name, content := range map[string]string{
		"assets/style.css": "body { color: teal }\n", "assets/app.js": "alert(1)\n", "assets/logo.svg": "<svg/>", "assets/a b+ü.txt": "odd name",
		"assets/unknown.zzz": "bytes", "assets/noextension": "bytes", "assets/empty.txt": "", "assets/big.bin": fileContent,
		"assets/.hidden": "secret", "assets/sub/file.txt": "deep", "assets/font.woff2": "font", "assets/data.json": "{}", "assets/pic.png": "png",
		"www/index.html": "<h1>front page</h1>", "www/docs/index.html": "<h1>docs</h1>", "www/bare/file.txt": "bare", "secret.txt": "secret",
	} {
		path := filepath.Join(v.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.txt", filepath.Join(v.dir, "assets", "escape.txt")); err != nil {
		t.Fatal(err)
	}
	return startWith(t, v, staticSite)
}

// curl runs curl and returns the response head it saw, with names in lower case, and the body.
func (s *server) curl(url string, args ...string) (head, body string) {
	s.t.Helper()
	program := need(s.t, "curl", "curl")
	headFile, bodyFile := s.file("curl.head"), s.file("curl.body")
	args = append([]string{"--silent", "--show-error", "--insecure", "--noproxy", "*", "--path-as-is", "--max-time", "60", "--dump-header", headFile, "--output", bodyFile}, args...)
	if err := os.WriteFile(bodyFile, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command(program, append(args, url)...).CombinedOutput(); err != nil {
		s.t.Fatalf("curl %s: %v: %s", url, err, out)
	}
	var lines []string
	for line := range strings.Lines(s.read("curl.head")) {
		if name, value, found := strings.Cut(line, ":"); found {
			line = strings.ToLower(name) + ":" + value
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n") + "\n", s.read("curl.body")
}

// field returns the value of a header line of curl's head, "" when there is none.
func field(head, name string) string {
	for line := range strings.Lines(head) {
		if value, found := strings.CutPrefix(line, name+": "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func statusOf(head string) string {
	words := strings.Fields(head)
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// TestStaticTypes: each file has its type, length and validators.
func TestStaticTypes(t *testing.T) {
	s := startStatic(t)
	f := func(path, body, contentType string) {
		t.Helper()
		head, got := s.curl(s.url(path))
		if statusOf(head) != "200" || got != body || field(head, "content-length") != itoa(len(body)) {
			t.Errorf("%s: got %q and %q; want 200 and %q", path, head, short(got), short(body))
		}
		if kind := field(head, "content-type"); !strings.HasPrefix(kind, contentType) {
			t.Errorf("%s: Content-Type %q; want %q", path, kind, contentType)
		}
		if field(head, "last-modified") != "Thu, 29 Feb 2024 12:00:00 GMT" || field(head, "etag") == "" || field(head, "accept-ranges") != "bytes" {
			t.Errorf("%s: got %q; want Last-Modified, ETag and Accept-Ranges", path, head)
		}
	}
	f("/static/style.css", "body { color: teal }\n", "text/css")
	f("/static/app.js", "alert(1)\n", "text/javascript")
	f("/static/logo.svg", "<svg/>", "image/svg+xml")
	f("/static/data.json", "{}", "application/json")
	f("/static/pic.png", "png", "image/png")
	f("/static/font.woff2", "font", "font/woff2")
	f("/static/unknown.zzz", "bytes", "application/octet-stream")
	f("/static/noextension", "bytes", "application/octet-stream")
	f("/static/empty.txt", "", "text/plain")
	f("/static/a%20b+%C3%BC.txt", "odd name", "text/plain")
	f("/static/sub/file.txt", "deep", "text/plain")
	f("/static/sub/../style.css", "body { color: teal }\n", "text/css")
	f("/", "<h1>front page</h1>", "text/html")
	f("/docs/", "<h1>docs</h1>", "text/html")
	f("/static/big.bin", fileContent, "application/octet-stream")
	head, body := s.curl(s.tlsURL("/static/big.bin"))
	if statusOf(head) != "200" || body != fileContent {
		t.Errorf("over TLS: got %q and %d bytes; want 200 and %d", head, len(body), len(fileContent))
	}
}

// TestStaticRefusals: what is not there, and what is nobody's business, looks the same.
func TestStaticRefusals(t *testing.T) {
	s := startStatic(t)
	f := func(path, status string) {
		t.Helper()
		head, body := s.curl(s.url(path))
		if statusOf(head) != status || strings.Contains(body, "secret") {
			t.Errorf("%s: got %q %q; want %s", path, statusOf(head), short(body), status)
		}
	}
	f("/static/missing.css", "404")
	f("/static/.hidden", "404")
	f("/static/escape.txt", "404")
	f("/static/..%2fsecret.txt", "404")
	f("/static/%2e%2e/%2e%2e/secret.txt", "400")
	f("/static/../../secret.txt", "400")
	f("/static/style.css/", "404")
	f("/static/style.css%00.txt", "400")
	f("/static../secret.txt", "404")
	f("/bare/", "403")
	head, _ := s.curl(s.url("/docs"))
	if statusOf(head) != "301" || !strings.HasSuffix(field(head, "location"), "/docs/") {
		t.Errorf("/docs: got %q; want a redirect to /docs/", head)
	}
	head, _ = s.curl(s.url("/static/style.css"), "--request", "POST", "--data", "x")
	if statusOf(head) != "405" || !strings.Contains(field(head, "allow"), "GET") {
		t.Errorf("POST: got %q; want 405 with Allow", head)
	}
}

// TestStaticConditional: validators that match spare the body, those that do not bring it.
func TestStaticConditional(t *testing.T) {
	s := startStatic(t)
	url := s.url("/static/style.css")
	head, body := s.curl(url)
	etag, since := field(head, "etag"), field(head, "last-modified")
	f := func(status string, headers ...string) {
		t.Helper()
		var args []string
		for _, header := range headers {
			args = append(args, "--header", header)
		}
		head, got := s.curl(url, args...)
		want := ""
		if status == "200" {
			want = body
		}
		if statusOf(head) != status || status != "412" && got != want {
			t.Errorf("%q: got %s %q; want %s %q", headers, statusOf(head), short(got), status, want)
		}
		if status == "304" && field(head, "etag") != etag {
			t.Errorf("%q: 304 with ETag %q; want %q", headers, field(head, "etag"), etag)
		}
	}
	f("304", "If-None-Match: "+etag)
	f("304", `If-None-Match: "other", W/`+strings.TrimPrefix(etag, "W/"))
	f("304", "If-None-Match: *")
	f("200", `If-None-Match: "other"`)
	f("304", "If-Modified-Since: "+since)
	f("304", "If-Modified-Since: Fri, 01 Mar 2024 12:00:00 GMT")
	f("200", "If-Modified-Since: Wed, 28 Feb 2024 12:00:00 GMT")
	f("200", "If-Modified-Since: yesterday")
	f("200", `If-None-Match: "other"`, "If-Modified-Since: "+since)
	f("200", "If-Match: "+etag)
	f("412", `If-Match: "other"`)
	f("200", "If-Unmodified-Since: "+since)
	f("412", "If-Unmodified-Since: Wed, 28 Feb 2024 12:00:00 GMT")
}

// TestStaticRanges: single and several ranges, unsatisfiable and nonsensical ones, and If-Range.
func TestStaticRanges(t *testing.T) {
	s := startStatic(t)
	url, size := s.url("/static/big.bin"), itoa(len(fileContent))
	head, _ := s.curl(url, "--head")
	etag := field(head, "etag")
	f := func(ranges, status, body, contentRange string, headers ...string) {
		t.Helper()
		args := []string{"--header", "Range: " + ranges}
		for _, header := range headers {
			args = append(args, "--header", header)
		}
		head, got := s.curl(url, args...)
		if statusOf(head) != status || status != "416" && got != body || field(head, "content-range") != contentRange {
			t.Errorf("Range: %s %q: got %s, %q, %d bytes; want %s, %q, %d bytes",
				ranges, headers, statusOf(head), field(head, "content-range"), len(got), status, contentRange, len(body))
		}
	}
	f("bytes=0-9", "206", fileContent[:10], "bytes 0-9/"+size)
	f("bytes=100000-200000", "206", fileContent[100000:200001], "bytes 100000-200000/"+size)
	f("bytes=-5", "206", fileContent[len(fileContent)-5:], "bytes "+itoa(len(fileContent)-5)+"-"+itoa(len(fileContent)-1)+"/"+size)
	f("bytes=319990-", "206", fileContent[319990:], "bytes 319990-319999/"+size)
	f("bytes=319990-999999", "206", fileContent[319990:], "bytes 319990-319999/"+size)
	f("bytes=320000-", "416", "", "bytes */"+size)
	f("bytes=9-0", "200", fileContent, "")
	f("lines=0-9", "200", fileContent, "")
	f("bytes=0-9", "206", fileContent[:10], "bytes 0-9/"+size, "If-Range: "+etag)
	f("bytes=0-9", "200", fileContent, "", `If-Range: "other"`)

	head, body := s.curl(url, "--header", "Range: bytes=0-1,16-17")
	kind := field(head, "content-type")
	_, boundary, _ := strings.Cut(kind, "boundary=")
	if statusOf(head) != "206" || !strings.HasPrefix(kind, "multipart/byteranges; ") || strings.Count(body, "--"+boundary) != 3 ||
		!strings.Contains(strings.ToLower(body), "content-range: bytes 16-17/"+size) || field(head, "content-length") != itoa(len(body)) {
		t.Errorf("two ranges: got %q\n%q; want multipart/byteranges with both", head, short(body))
	}
}

// TestStaticHead: HEAD says what GET would, and keeps the connection in step.
func TestStaticHead(t *testing.T) {
	s := startStatic(t)
	head, body := s.curl(s.url("/static/big.bin"), "--head")
	if statusOf(head) != "200" || field(head, "content-length") != itoa(len(fileContent)) {
		t.Errorf("got %q, %d bytes; want 200 with the length", head, len(body))
	}
	c := s.dial()
	c.send("HEAD /static/big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.read("HEAD").want(t, 200, "")
	c.send("GET /static/data.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.read("GET").want(t, 200, "{}")
}
