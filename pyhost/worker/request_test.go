package worker

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hognose/internal/exchange"
	"hognose/internal/uwsgi"
	"hognose/internal/wire"
)

// request is one to be made.
type request struct {
	front  uint32
	vars   []exchange.Field
	body   []byte
	file   *os.File // the body, instead
	length uint64   // of file
	flags  uint32   // more of them
}

// get returns a GET of path with more variables (name, value, ...).
func get(path string, more ...string) request { return method("GET", path, more...) }

func method(m, target string, more ...string) request {
	path, query, _ := strings.Cut(target, "?")
	vars := fields(append([]string{
		"REQUEST_METHOD", m, "REQUEST_URI", target, "QUERY_STRING", query, "SCRIPT_NAME", "", "PATH_INFO", path,
		"SERVER_PROTOCOL", "HTTP/1.1", "REQUEST_SCHEME", "http", "REMOTE_ADDR", "127.0.0.1", "REMOTE_PORT", "5000",
		"SERVER_NAME", "localhost", "SERVER_PORT", "80", "HTTP_HOST", "localhost",
	}, more...)...)
	return request{front: 1, vars: vars}
}

func post(target string, body []byte, more ...string) request {
	r := method("POST", target, append(more, "CONTENT_LENGTH", fmt.Sprint(len(body)), "CONTENT_TYPE", "text/plain")...)
	r.body = body
	return r
}

func fields(kv ...string) []exchange.Field {
	var fs []exchange.Field
	for i := 0; i < len(kv); i += 2 {
		fs = append(fs, exchange.Field{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return fs
}

// encode returns the queue message of r.
func (r request) encode(t testing.TB, id uint64) []byte {
	t.Helper()
	packet, err := uwsgi.AppendPacket(nil, r.vars)
	check(t, err)
	var now unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	h := wire.Request{Front: r.front, ID: id, Queued: uint64(now.Nano()), BodyLen: uint64(len(r.body)), VarsLen: uint32(len(packet))}
	if r.file != nil {
		h.BodyLen, h.Flags = r.length, wire.RequestBodyFD|r.flags
	}
	return append(append(wire.AppendRequest(nil, h), packet...), r.body...)
}
