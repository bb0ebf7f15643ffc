package e2e

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// prepareExamples makes the example sites' virtualenv, or finds it up to date, and returns its path.
func prepareExamples(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(host.examples, "prepare.sh")).CombinedOutput()
	if err != nil {
		t.Fatalf("examples/prepare.sh: %v\n%s", err, out)
	}
	return filepath.Join(host.examples, "venv")
}

// exampleSites is config.toml.example's Django and Flask, with a copy of Django's data in $DIR.
const exampleSites = `
[log]
access = "$DIR/access.log"

[app.django]
module = "mysite.wsgi:application"
chdir = "$DIR/django"
home = "$EXAMPLES/venv"
processes = 2

[app.flask]
module = "app:app"
chdir = "$EXAMPLES/flask"
home = "$EXAMPLES/venv"
processes = 2
threads = 2

[[server]]
listen = ["$HTTP", "$TLS ssl"]
server_name = ["localhost", "127.0.0.1"]
certificate = { cert = "$EXAMPLES/tls/localhost.crt", key = "$EXAMPLES/tls/localhost.key" }
client_max_body_size = "16m"

[[server.location]]
path = "/static/"
alias = "$EXAMPLES/django/static/"

[[server.location]]
path = "/flask"
pass = "app:flask"
script_name = "/flask"

[[server.location]]
path = "/"
pass = "app:django"
`

// startSites starts the example sites on a copy of Django's folder, so that tests leave the examples as they were.
func startSites(t *testing.T) *server {
	t.Helper()
	prepareExamples(t)
	v := newVariables(t)
	if out, err := exec.Command("cp", "-r", filepath.Join(host.examples, "django"), filepath.Join(v.dir, "django")).CombinedOutput(); err != nil {
		t.Fatalf("cannot copy the Django site: %v: %s", err, out)
	}
	return startWith(t, v, exampleSites)
}

// browser is a client with cookies and redirects, as a person's.
type browser struct {
	t    *testing.T
	http *http.Client
	base string
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t)
	c.Jar, c.CheckRedirect = jar, nil
	return &browser{t: t, http: c, base: base}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	req, err := http.NewRequest("GET", b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return roundTrip(b.t, b.http, req)
}

// post submits a form, with Django's CSRF token and the Referer that Django wants over TLS.
func (b *browser) post(path string, fields map[string]string, file []byte) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		_ = form.WriteField(name, value)
	}
	if token := b.token(path); token != "" {
		_ = form.WriteField("csrfmiddlewaretoken", token)
	}
	if file != nil {
		part, err := form.CreateFormFile("attachment", "upload.bin")
		if err != nil {
			b.t.Fatal(err)
		}
		_, _ = part.Write(file)
	}
	_ = form.Close()
	req, err := http.NewRequest("POST", b.base+path, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Referer", b.base+path)
	return roundTrip(b.t, b.http, req)
}

var csrfField = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([^"]+)"`)

// token reads the CSRF token of the form on that page.
func (b *browser) token(path string) string {
	b.t.Helper()
	found := csrfField.FindStringSubmatch(b.get(path).body)
	if found == nil {
		return ""
	}
	return found[1]
}

// TestDjango uses the Django site as a visitor and its administrator would, over TLS and in plain HTTP.
func TestDjango(t *testing.T) {
	s := startSites(t)
	for scheme, base := range map[string]string{"http": s.url(""), "https": s.tlsURL("")} {
		t.Run(scheme, func(t *testing.T) {
			b := newBrowser(t, base)
			secure := map[bool]string{true: "over TLS", false: "in plain HTTP"}[scheme == "https"]
			if a := b.get("/"); a.status != 200 || !strings.Contains(a.body, secure) {
				t.Fatalf("/: got %d %q; want 200 %q", a.status, short(a.body), secure)
			}
			attachment := lines(2_000_000)
			a := b.post("/", map[string]string{"text": "note by " + scheme}, attachment)
			link := regexp.MustCompile(`note by ` + scheme + ` \(<a href="([^"]+)"`).FindStringSubmatch(a.body)
			if a.status != 200 || link == nil {
				t.Fatalf("POST with a file: got %d %q; want the page with the note", a.status, short(a.body))
			}
			b.get(link[1]).want(t, 200, string(attachment))
			if a := b.get("/stream"); a.body != "line 1\nline 2\nline 3\nline 4\nline 5\n" {
				t.Errorf("/stream: got %q", a.body)
			}
			if a := newBrowser(t, base).postWithoutToken("/"); a.status != http.StatusForbidden {
				t.Errorf("POST without a CSRF token: got %d; want 403", a.status)
			}
			a = b.post("/admin/login/?next=/admin/", map[string]string{"username": "admin", "password": "hognose-demo"}, nil)
			if a.status != 200 || !strings.Contains(a.body, "Site administration") {
				t.Errorf("admin: got %d %q; want its index", a.status, short(a.body))
			}
			if a := b.get("/admin/notes/note/?q=" + url.QueryEscape("note by "+scheme)); !strings.Contains(a.body, "note by "+scheme) {
				t.Errorf("admin's list lacks the note: %d", a.status)
			}
			if a := b.get("/no/such/page"); a.status != 404 {
				t.Errorf("a missing page: got %d; want 404", a.status)
			}
		})
	}
}

func (b *browser) postWithoutToken(path string) answer {
	b.t.Helper()
	req, err := http.NewRequest("POST", b.base+path, strings.NewReader("text=x"))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return roundTrip(b.t, b.http, req)
}

// TestFlask uses the Flask site below its mount.
func TestFlask(t *testing.T) {
	s := startSites(t)
	s.get("/flask/").wantStatus(t, 200)
	if a := s.get("/flask/"); !strings.Contains(a.body, `href="/flask/echo"`) || !strings.Contains(a.body, "Mounted at <code>/flask</code>") {
		t.Errorf("the index does not know its mount: %q", short(a.body))
	}
	echo := decode[struct {
		Environ map[string]any
		Body    string
	}](t, s.send("POST", "/flask/echo?a=b", strings.NewReader("hello"), "Content-Type: text/plain"))
	for name, want := range map[string]any{
		"SCRIPT_NAME": "/flask", "PATH_INFO": "/echo", "QUERY_STRING": "a=b", "REQUEST_URI": "/flask/echo?a=b",
		"REMOTE_ADDR": "127.0.0.1", "wsgi.multithread": true, "wsgi.multiprocess": true, "wsgi.url_scheme": "http",
	} {
		if !matches(echo.Environ[name], want) {
			t.Errorf("%s = %#v; want %#v", name, echo.Environ[name], want)
		}
	}
	if echo.Body != "hello" {
		t.Errorf("body %q; want hello", echo.Body)
	}
	s.get("/flask/stream?n=1000").wantStatus(t, 200)
	upload := s.post("/flask/upload", lines(5_000_000), false)
	if !strings.Contains(upload.body, "5000000") {
		t.Errorf("upload: got %d %q; want its size", upload.status, short(upload.body))
	}
	if a := s.get("/flask/error"); a.status != 500 {
		t.Errorf("/error: got %d; want 500", a.status)
	}
	eventually(t, "Flask's traceback is in the log", func() bool { return s.log.contains("RuntimeError: this page always fails") })
}

// TestSeed runs examples/seed: a Flask application whose uwsgi.ini and nginx.conf became one config in the same words.
func TestSeed(t *testing.T) {
	prepareExamples(t)
	original, err := os.ReadFile(filepath.Join(host.examples, "seed", "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	v := newVariables(t)
	for _, name := range []string{"app.py", "static"} {
		if out, err := exec.Command("cp", "-r", filepath.Join(host.examples, "seed", name), v.dir).CombinedOutput(); err != nil {
			t.Fatalf("cannot copy the seed: %v: %s", err, out)
		}
	}
	if err := os.Symlink(filepath.Join(host.examples, "venv"), filepath.Join(v.dir, "venv")); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(original), `"127.0.0.1:8080"`, `"$HTTP"`, 1)
	config = strings.ReplaceAll(config, `"../venv"`, `"venv"`)
	s := startWith(t, v, config)
	page := s.get("/")
	if page.status != 200 || !strings.Contains(page.body, "The seed case for 127.0.0.1 over http") {
		t.Errorf("got %d %q; want the page with SITE_NAME", page.status, short(page.body))
	}
	if a := s.get("/static/style.css"); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/css") {
		t.Errorf("/static/style.css: got %d %q; want the file", a.status, a.header.Get("Content-Type"))
	}
	s.workers("seed", 4)
	// The application's own socket speaks the uwsgi protocol, with the mode of chmod-socket, for nginx or others.
	socket := v.dir + "/app.sock"
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("app.sock: %v, mode %v; want 0660", err, info)
	}
	s.signal(syscall.SIGTERM)
	s.waitExit()
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("vacuum: app.sock is still there after the stop: %v", err)
	}
}

// TestExampleConfig: `hognose check` accepts config.toml.example as it is.
func TestExampleConfig(t *testing.T) {
	prepareExamples(t)
	cmd := exec.Command(host.binary, "check", "-c", "config.toml.example")
	cmd.Dir = host.root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
}
