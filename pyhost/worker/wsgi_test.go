package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"hognose/internal/wire"
	"hognose/pyhost/python"
)

var semantics = python.Settings{Module: "semantics", Chdir: "testdata"}

// TestWSGI holds the response half of PEP 3333, on each Python.
func TestWSGI(t *testing.T) {
	for _, in := range pythons(t) {
		t.Run(in.Version, func(t *testing.T) {
			tr := newTree(t, options{python: in, settings: semantics})
			front := tr.fork(0).front(1)
			answers(t, tr, front)
			failures(t, tr, front)
			startErrors(t, tr, front)
			bodies(t, tr, front)
			files(t, tr, front)
			environs(t, tr, front)
		})
	}
}

func answers(t *testing.T, tr *tree, front *front) {
	f := func(r request, status int, body, length string) *response {
		t.Helper()
		resp := front.do(tr, r)
		if resp.aborted() || resp.head.Status != status || resp.body() != body || resp.header("content-length") != length {
			t.Errorf("%s: got %v; want %d with %q and length %q", r.vars[1].Value, resp, status, body, length)
		}
		return resp
	}
	frames := func(r *response, pieces ...string) {
		t.Helper()
		if got := fmt.Sprintf("%s", r.pieces); got != fmt.Sprintf("%s", pieces) {
			t.Errorf("got the pieces %s; want %s", got, pieces)
		}
	}
	f(get("/one"), 200, "one", "3")
	frames(f(get("/several"), 200, "onetwothree", "11"), "onetwothree")
	f(get("/nothing"), 200, "", "0")
	f(get("/blank"), 200, "", "0")
	frames(f(get("/generator"), 200, "onetwo", ""), "one", "two")
	f(get("/late_start"), 201, "late", "")
	frames(f(get("/sized"), 200, "sized", "5"), "sized")
	f(get("/closing"), 200, "onetwo", "")
	f(get("/closes?body"), 200, "2", "1") // sized and closing
	f(get("/close_fails"), 200, "one", "")
	tr.logs.wait(t, "RuntimeError: close failed")
	frames(f(get("/known_length"), 200, "onetwo", "6"), "one", "two")
	f(get("/too_long"), 200, "onet", "4")
	tr.logs.wait(t, "GET /too_long: the application gave more than its Content-Length of 4 bytes")
	f(get("/too_long_list"), 200, "onet", "4")
	frames(f(get("/write"), 200, "written and returned", ""), "written ", "and returned")
	frames(f(get("/write_only"), 200, "written", "7"), "written")
	f(get("/bare_status"), 200, "x", "1")
	f(get("/keywords"), 200, "x", "1")
	f(get("/wrapped_file"), 200, strings.Repeat("x", 10000), "")
	f(get("/other_thread"), 200, "thread thread thread end", "")
	f(get("/late_calls"), 200, "kept", "4")
	f(get("/late_calls"), 200, "start_response was called after its request had ended|write was called after its request had ended", "98")

	f(get("/closes?body"), 200, "3", "1")
	f(method("HEAD", "/one"), 200, "", "3")
	f(method("HEAD", "/several"), 200, "", "11")
	f(method("HEAD", "/nothing"), 200, "", "")
	f(method("HEAD", "/generator"), 200, "", "")
	f(method("HEAD", "/known_length"), 200, "", "6")
	f(method("HEAD", "/too_short"), 200, "", "10")
	f(method("HEAD", "/file?plain"), 200, "", "")
	f(get("/closes?file"), 200, "1", "1")
	f(get("/closes?body"), 200, "2", "1")
	if r := f(get("/no_content"), 204, "", ""); r.header("x-a") != "1" {
		t.Errorf("204: got %v", r)
	}
	f(get("/no_content_body"), 204, "", "")
	f(get("/not_modified"), 304, "", "1000")

	r := f(get("/fields"), 299, "x", "1")
	if string(r.head.Reason) != "Gr\xfc\xdfe" || r.header("set-cookie") != "a=1|b=2" || r.header("x-latin") != "\xe9\xff\x80" ||
		r.header("x-tab") != "a\tb" || r.header("x-space") != "a b" || len(r.head.Fields) != 7 {
		t.Errorf("fields: got %v", r)
	}
	r = f(get("/hop_by_hop"), 200, "x", "1")
	if len(r.head.Fields) != 2 || r.header("x-kept") != "yes" {
		t.Errorf("hop-by-hop fields: got %v", r)
	}
	tr.logs.wait(t, "left out the response header transfer-encoding")
	r = f(get("/replaced"), 500, "sorry", "5")
	if r.header("x-first") != "" || r.header("x-second") != "2" {
		t.Errorf("replaced head: got %v", r)
	}
}

// failures are requests whose application fails: what has been sent stays, the rest is an abort, and the log says why.
func failures(t *testing.T, tr *tree, front *front) {
	f := func(path string, status int, body, log string) {
		t.Helper()
		r := front.do(tr, get(path))
		if !r.aborted() || r.head.Status != status || r.body() != body {
			t.Errorf("%s: got %v; want an abort after %d and %q", path, r, status, body)
		}
		tr.logs.wait(t, log)
	}
	f("/fails", 0, "", "exception in the application: GET /fails (request ")
	f("/fails?a", 0, "", "ValueError: broken app \u00e9\n")
	f("/fails_after_start", 0, "", "GET /fails_after_start")
	f("/iteration_fails", 200, "one", "ValueError: in the middle")
	f("/iteration_fails_first", 0, "", "ValueError: at the start")
	f("/too_short", 200, "one", "GET /too_short: the application gave less than its Content-Length of 10 bytes")
	f("/too_short_list", 0, "", "GET /too_short_list: the application gave less")
	f("/too_late", 200, "sent", "ValueError: the original")
	f("/too_late_nothing", 200, "sent", "AssertionError: start_response was called after the response had begun")
	f("/bad_chunk", 0, "", "TypeError: the application must yield bytes, not <class 'str'>")
	f("/twice", 0, "", "AssertionError: start_response was called twice without exc_info")
	f("/never", 0, "", "AssertionError: the application did not call start_response")
	f("/never_empty", 0, "", "GET /never_empty")
	f("/returns_none", 0, "", "TypeError: 'NoneType' object is not iterable")
	f("/returns_str", 0, "", "TypeError: the application must yield bytes, not <class 'str'>")
	f("/returns_bytes", 0, "", "TypeError: the application must yield bytes, not <class 'int'>")
	f("/exits", 0, "", "SystemExit: 7")
	f("/interrupts", 0, "", "KeyboardInterrupt")
	f("/generator_exit", 0, "", "GeneratorExit")
	f("/no_such\x1b", 0, "", `GET /no_such\x1b (request`)
	if n := front.do(tr, get("/closes?body")).body(); n != "3" {
		t.Errorf("failed responses were closed %s times; want 3", n)
	}
	if log := tr.logs.String(); strings.Contains(log, "<hognose") || strings.Contains(log, "harness") {
		t.Errorf("a traceback shows frames that are not the application's:\n%s", log)
	}
}

// startErrors are wrong calls of start_response.
func startErrors(t *testing.T, tr *tree, front *front) {
	f := func(query, want string) {
		t.Helper()
		r := front.do(tr, get("/bad?"+query))
		if r.head.Status != 200 || !strings.HasPrefix(r.body(), want) {
			t.Errorf("%s: got %v; want %q", query, r, want)
		}
	}
	f("status_bytes", "TypeError: status must be str, not <class 'bytes'>")
	f("status_short", "ValueError: status '20' must be three digits from 200 on")
	f("status_text", "ValueError: status")
	f("status_1xx", "ValueError: status")
	f("status_nospace", "ValueError: status")
	f("status_newline", "ValueError: status '200 O\\nK' has a forbidden character")
	f("status_unicode", "ValueError: status '200 \\u20ac' has a character outside latin-1")
	f("headers_tuple", "TypeError: response headers must be a list of tuples, not <class 'tuple'>")
	f("headers_dict", "TypeError: response headers must be a list")
	f("header_list", "TypeError: response header must be a tuple (name, value), not [")
	f("header_triple", "TypeError: response header must be a tuple")
	f("header_bytes", "TypeError: response header name must be str, not <class 'bytes'>")
	f("value_bytes", "TypeError: response header value must be str, not <class 'bytes'>")
	f("value_int", "TypeError: response header value must be str, not <class 'int'>")
	f("value_crlf", "ValueError: response header value 'b\\r\\nX-Injected: 1' has a forbidden character")
	f("value_nul", "ValueError: response header value")
	f("value_unicode", "ValueError: response header value '\\u20ac' has a character outside latin-1")
	f("value_surrogate", "UnicodeEncodeError")
	f("name_space", "ValueError: response header name 'A B' has a forbidden character")
	f("name_empty", "ValueError: response header name is empty")
	f("name_colon", "ValueError: response header name")
	f("name_latin", "ValueError: response header name")
	f("length_text", "ValueError: Content-Length 'x' is not a number")
	f("length_negative", "ValueError: Content-Length")
	f("length_huge", "ValueError: Content-Length")
	f("length_twice", "ValueError: Content-Length")
	f("head_huge", "ValueError: response headers are larger than")
	f("head_many", "ValueError: response headers are larger than")
	for n := 65300; n < 65500; n++ { // both sides of the limit, to the byte
		r := front.do(tr, get(fmt.Sprintf("/bad?head_edge&%d", n)))
		if fits := r.body() == "no error"; fits != (n <= 65444) || fits && (len(r.header("a")) != n || r.header("b") != "yyyyyyyyyy") {
			t.Errorf("header of %d bytes: got %d %.100q", n, r.head.Status, r.body())
		}
	}
	f("no_headers", "TypeError: start_response takes status, headers")
	f("exc_info", "TypeError: exc_info must be a tuple of three")
	f("too_many", "TypeError: start_response takes status, headers")
}

// bodies are request bodies, in the message and as descriptor.
func bodies(t *testing.T, tr *tree, front *front) {
	small := []byte("first\nsecond line\n\nlast")
	large := bytes.Repeat([]byte("a line of the large body\n"), 10000)
	f := func(how string, r request, want []byte) *response {
		t.Helper()
		resp := front.do(tr, r)
		if resp.head.Status != 200 || resp.body() != string(want) {
			t.Errorf("read %s: got %v; want %d bytes", how, resp, len(want))
		}
		return resp
	}
	for _, how := range []string{"all", "sizes", "lines", "short_lines", "readlines", "hint", "iterate"} {
		f(how, post("/read?"+how, nil), nil)
		f(how, post("/read?"+how, small), small)
		f(how, withFile(t, post("/read?"+how, nil), small), small)
		f(how, withPipe(t, post("/read?"+how, nil), small), small)
		if r := f(how, withFile(t, post("/read?"+how, nil), large), large); r.header("x-type") != "BufferedReader" {
			t.Errorf("a body in a descriptor is read by %q", r.header("x-type"))
		}
	}
	f("none", withFile(t, post("/read?none", nil), large), nil)
	f("keep", withFile(t, post("/keep_input", nil), large), []byte("kept"))
	f("kept", get("/kept_input"), []byte("True"))

	for _, lie := range []request{withFile(t, post("/read?all", nil), small), withPipe(t, post("/read?all", nil), small)} {
		for _, n := range []uint64{uint64(len(small)) + 1, uint64(len(small)) - 1, 1 << 40, 1<<64 - 1} {
			lie.length = n
			if r := front.do(tr, lie); !r.aborted() {
				t.Errorf("body of another size than it says (%d): got %v", n, r)
			}
		}
	}
	pipe := withFile(t, post("/read?all", nil), small)
	pipe.flags = wire.RequestBodyPipe
	if r := front.do(tr, pipe); !r.aborted() {
		t.Errorf("a file that is called a pipe: got %v", r)
	}
	r := f("errors", get("/errors"), []byte("one"))
	_ = r
	tr.logs.wait(t, "written to wsgi.errors\nab\nprinted\n")
}

// withFile makes content the body of r, in a descriptor whose position is not its start.
func withFile(t *testing.T, r request, content []byte) request {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "body")
	check(t, err)
	t.Cleanup(func() { file.Close() })
	_, err = file.Write(content)
	check(t, err)
	r.body, r.file, r.length = nil, file, uint64(len(content))
	for i := range r.vars {
		if string(r.vars[i].Name) == "CONTENT_LENGTH" {
			r.vars[i].Value = fmt.Append(nil, len(content))
		}
	}
	return r
}

// withPipe makes content the body of r, in a pipe that holds it and is still open for writing.
func withPipe(t *testing.T, r request, content []byte) request {
	t.Helper()
	near, far, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	_, err = far.Write(content)
	check(t, err)
	r = withFile(t, r, content)
	r.file, r.flags = near, wire.RequestBodyPipe
	return r
}

// files are responses made with wsgi.file_wrapper.
func files(t *testing.T, tr *tree, front *front) {
	content := strings.Repeat("0123456789", 10000)
	f := func(query, want, length string, asFile bool) {
		t.Helper()
		r := front.do(tr, get("/file?"+query))
		if r.aborted() || r.body() != want || r.header("content-length") != length || (len(r.files) == 1) != asFile {
			t.Errorf("file %s: got %v with %d files; want %d bytes, length %q, as file %v", query, r, len(r.files), len(want), length, asFile)
		}
		if n := front.do(tr, get("/closes?file")).body(); n != "1" {
			t.Errorf("file %s: closed %s times", query, n)
		}
	}
	f("plain", content, "100000", true)
	f("named", content, "100000", true)
	f("raw", content, "100000", true)
	f("seek", content[15:], "99985", true)
	f("seek&20", content[15:35], "20", true)
	f("plain&100000", content, "100000", true)
	f("end", "", "0", false)
	f("memory", content, "", false)
	f("subclass", content, "", false)
	f("gzip", content, "", false)
	f("pipe", "from a pipe", "", false)
	if r := front.do(tr, get("/file?plain&100001")); !r.aborted() {
		t.Errorf("file shorter than Content-Length: got %v", r)
	}
	for _, n := range []int{1, 4095, 4096, 4097, 65535, 65536, 65537, 262143, 262144, 262145, 300000, 5000000} {
		want := strings.Repeat(string(bytesTo256), n/256) + strings.Repeat("x", n%256)
		r := front.do(tr, get(fmt.Sprintf("/big?%d", n)))
		if r.aborted() || r.body() != want || r.header("content-length") != fmt.Sprint(n) {
			t.Errorf("body of %d bytes: got %v", n, r)
		}
	}
	r := front.do(tr, get("/big_chunks"))
	if len(r.body()) != 12*8*16384 || r.header("content-length") != "1572864" || !strings.HasSuffix(r.body(), "00000011") {
		t.Errorf("large list: got %v", r)
	}
	if r := front.do(tr, get("/stream?20")); len(r.body()) != 2000000 || r.aborted() {
		t.Errorf("stream: got %v", r)
	}
}

var bytesTo256 = func() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

// environs is the request half of PEP 3333.
func environs(t *testing.T, tr *tree, front *front) {
	f := func(r request, want map[string]any) {
		t.Helper()
		resp := front.do(tr, r)
		var got map[string]any
		if err := json.Unmarshal([]byte(resp.body()), &got); err != nil {
			t.Fatalf("%v: %v", err, resp)
		}
		for k, v := range want {
			if a, b := fmt.Sprint(got[k]), fmt.Sprint(v); a != b {
				t.Errorf("environ has %s = %q; want %q", k, a, b)
			}
		}
	}
	f(get("/environ_json?a=1"), map[string]any{
		"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/environ_json", "QUERY_STRING": "a=1", "SERVER_NAME": "localhost",
		"SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "wsgi.version": "[1 0]", "wsgi.url_scheme": "http",
		"wsgi.multithread": false, "wsgi.multiprocess": false, "wsgi.run_once": false, "wsgi.input_terminated": true,
		"type": true, "errors": true, "thread": "MainThread", "argv": "[hognose]", "main": "[]", "env": "[]", "CONTENT_LENGTH": nil,
	})
	r := get("/environ_json", "HTTP_X_LATIN", "caf\xc3\xa9 \xff", "HTTPS", "on")
	for i := range r.vars {
		if string(r.vars[i].Name) == "REQUEST_SCHEME" {
			r.vars[i].Value = []byte("https")
		}
	}
	f(r, map[string]any{"HTTP_X_LATIN": "caf\u00c3\u00a9 \u00ff", "wsgi.url_scheme": "https"})
	f(get("/environ_json", "HTTPS", "on"), map[string]any{"wsgi.url_scheme": "http"})
	// Values that are kept from one request to the next, and keys that come and go.
	long := strings.Repeat("agent", 100)
	for _, agent := range []string{"a", "b", "b", "", long, "b", long} {
		f(get("/environ_json", "HTTP_USER_AGENT", agent, "HTTP_COOKIE", agent), map[string]any{"HTTP_USER_AGENT": agent, "HTTP_COOKIE": agent})
		f(get("/environ_json"), map[string]any{"HTTP_USER_AGENT": nil, "HTTP_COOKIE": nil})
	}
	for i := range 600 { // more keys than are kept
		key := fmt.Sprintf("HTTP_X_%d", i)
		f(get("/environ_json", key, "v", "HTTP_ACCEPT", "*/*"), map[string]any{key: "v", "HTTP_ACCEPT": "*/*"})
	}
	for _, key := range []string{"wsgi.input", "wsgi.errors", "PATH_INFO", "UWSGI_FILE", "", "a b"} {
		if r := front.do(tr, get("/one", key, "x")); !r.aborted() {
			t.Errorf("variable %q: got %v; want an abort", key, r)
		}
	}
	if r := front.do(tr, get("/forks")); r.body() != "child ended with 0" {
		t.Errorf("fork in a request: got %v", r)
	}
	poll(t, "the slot is idle, and its parent's", func() bool {
		s := tr.board.Slot(0, 0)
		return s.State == wire.SlotIdle && int(s.PID) == tr.workers[0].pid && s.Requests >= 600
	})
}
