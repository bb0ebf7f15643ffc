package e2e

import (
	"bufio"
	ctls "crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// variables fills $NAMES in config files and arguments:
//
//	$HTTP, $HTTP2, $TLS, $TLS2, $UWSGI…  a free loopback address, the same one every time
//	$DIR                                 the server's scratch directory
//	$APPS, $EXAMPLES                     folders of applications
//	$PYTHON                              the interpreter
//	$CERT, $KEY                          a self-signed certificate of localhost
type variables struct {
	t      *testing.T
	dir    string
	values map[string]string
	// order holds the names of the addresses in the order of their first use.
	order []string
}

var variable = regexp.MustCompile(`\$[A-Z][A-Z0-9]*`)

func newVariables(t *testing.T) *variables {
	t.Helper()
	dir := t.TempDir()
	return &variables{t: t, dir: dir, values: map[string]string{
		"$DIR": dir, "$APPS": host.apps, "$EXAMPLES": host.examples, "$PYTHON": host.python,
	}}
}

func (v *variables) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, v.value)
}

func (v *variables) value(name string) string {
	if value, ok := v.values[name]; ok {
		return value
	}
	switch kind := strings.TrimRight(name, "0123456789"); kind {
	case "$HTTP", "$TLS", "$UWSGI":
		v.values[name] = freeAddress(v.t)
		v.order = append(v.order, name)
	case "$CERT", "$KEY":
		v.values["$CERT"], v.values["$KEY"] = writeCertificate(v.t, v.dir)
	default:
		return name
	}
	return v.values[name]
}

func (v *variables) config() string { return filepath.Join(v.dir, "hognose.toml") }

func (v *variables) writeConfig(text string) {
	v.t.Helper()
	v.writeFile("hognose.toml", v.expand(text))
}

// writeFile replaces a file of the scratch directory at once, as a careful deployment does.
func (v *variables) writeFile(name, text string) {
	v.t.Helper()
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		v.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		v.t.Fatal(err)
	}
}

// answers reports whether the first HTTP or TLS address gives any HTTP answer to
// OPTIONS *, which the front answers without the applications. With uwsgi listeners
// only, a connection has to do.
func (v *variables) answers() bool {
	for _, name := range v.order {
		if !strings.HasPrefix(name, "$UWSGI") {
			return answersHTTP(v.values[name], strings.HasPrefix(name, "$TLS"))
		}
	}
	for _, name := range v.order {
		conn, err := net.DialTimeout("tcp", v.values[name], time.Second)
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

func answersHTTP(address string, secure bool) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if secure {
		conn = ctls.Client(conn, &ctls.Config{InsecureSkipVerify: true})
	}
	if _, err := conn.Write([]byte("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")); err != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

// freeAddress returns a loopback address nobody listens on. Its port is below the range that the kernel
// gives to outgoing connections and to port 0, so that nobody gets it before hognose does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 200 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(15000+rand.IntN(15000)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		return address
	}
	t.Fatal("no free port between 15000 and 30000")
	return ""
}
