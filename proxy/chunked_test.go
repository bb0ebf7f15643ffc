package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"hognose/internal/exchange"
)

// chunked decodes in with a small buffer and returns the body and what is left behind it.
func chunked(in io.Reader) (body, rest string, err error) {
	br := bufio.NewReaderSize(in, 16)
	b, err := io.ReadAll(NewChunkedReader(br))
	if err != nil {
		return string(b), "", err
	}
	left, err := io.ReadAll(br)
	return string(b), string(left), err
}

func TestChunkedReader(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		const next = "GET / HTTP/1.1\r\n"
		for _, r := range []io.Reader{strings.NewReader(raw(in) + next), iotest.OneByteReader(strings.NewReader(raw(in) + next))} {
			body, rest, err := chunked(r)
			if err != nil || body != want || rest != next {
				t.Errorf("%q gives %q, then %q, %v; want %q, then %q", in, body, rest, err, want, next)
			}
		}
	}
	f("0\r\n\r\n", "")
	f("000\r\n\r\n", "")
	f("3\r\nabc\r\n0\r\n\r\n", "abc")
	f("A\r\n0123456789\r\n01\r\n!\r\n0\r\n\r\n", "0123456789!")
	f("a;x=\"y\"\r\n0123456789\r\n0;z\r\n\r\n", "0123456789")
	f("2\r\n\r\n\r\n0\r\n\r\n", "\r\n")
	f("1\r\na\r\n0\r\nX-Trailer: v\r\nY:\r\n\r\n", "a")
	f("1;"+strings.Repeat("x", 16000)+"\r\na\r\n0\r\n\r\n", "a")
	f(strings.Repeat("1\r\na\r\n", 20000)+"0\r\n\r\n", strings.Repeat("a", 20000))
}

func TestChunkedReaderRefuses(t *testing.T) {
	f := func(in string) {
		t.Helper()
		body, rest, err := chunked(strings.NewReader(raw(in) + "0\r\n\r\n"))
		if exchange.StatusOf(err) != 400 {
			t.Errorf("%q gives %.100q, then %q, %v; want 400", in[:min(len(in), 100)], body, rest, err)
		}
	}
	f("0{LF}{LF}")
	f("3{LF}abc\r\n0\r\n\r\n")
	f("3\r\nabc{LF}0\r\n\r\n")
	f("3\r\nabc{CR}0\r\n\r\n")
	f("3\r\nabcd\r\n0\r\n\r\n")
	f("3\r\nabc0\r\n\r\n")
	f("0\r\n{LF}")
	f("0\r\n{CR}x")
	f("0x3\r\nabc\r\n")
	f("+3\r\nabc\r\n")
	f("-1\r\nabc\r\n")
	f(" 3\r\nabc\r\n")
	f("3 \r\nabc\r\n")
	f("3{HT}\r\nabc\r\n")
	f("3 ;x\r\nabc\r\n")
	f("\r\n")
	f(";x\r\n")
	f("g\r\n")
	f("3_0\r\nabc\r\n")
	f("3{CR}{CR}{LF}abc\r\n")
	f("8000000000000000\r\nabc")
	f("10000000000000000\r\nabc")
	f("00000000000000003\r\nabc\r\n")
	f("ffffffffffffffff\r\nabc")
	f("3;a{LF}b\r\nabc\r\n")
	f("3;a{NUL}b\r\nabc\r\n")
	f("3;a{CR}b\r\nabc\r\n")
	f("3;a{DEL}\r\nabc\r\n")
	f("3;" + strings.Repeat("x", 16385) + "\r\nabc\r\n")
	f(strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 17))
	f(strings.Repeat("0000000000000001\r\na\r\n", 3000))
	f("0\r\nContent-Length: 3\r\n\r\n")
	f("0\r\nX: y\r\ntransfer-encoding: chunked\r\n\r\n")
	f("0\r\nHost: h\r\n\r\n")
	f("0\r\nAuthorization: x\r\n\r\n")
	f("0\r\nCookie: x\r\n\r\n")
	f("0\r\nX-Forwarded-For: x\r\n\r\n")
	f("0\r\nContent-Encoding: x\r\n\r\n")
	f("0\r\nX : y\r\n\r\n")
	f("0\r\n x: y\r\n\r\n")
	f("0\r\nX\r\n\r\n")
	f("0\r\n: y\r\n\r\n")
	f("0\r\nX: a{LF}\r\n\r\n")
	f("0\r\nX: a{NUL}\r\n\r\n")
	f("0\r\nGET /canary HTTP/1.1\r\n\r\n")
	f("0\r\n" + strings.Repeat("X: y\r\n", 4000) + "\r\n")
}

func TestChunkedReaderCutOff(t *testing.T) {
	const in = "3;x\r\nabc\r\n0\r\nX: y\r\n\r\n"
	for n := range len(in) {
		if _, _, err := chunked(strings.NewReader(in[:n])); err != io.ErrUnexpectedEOF {
			t.Errorf("%q gives %v; want %v", in[:n], err, io.ErrUnexpectedEOF)
		}
	}
}

// What the reader accepts, net/http reads in the same way and ends at the same byte.
func FuzzChunkedReader(f *testing.F) {
	for _, in := range []string{"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\nrest", "a;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n", "1\na\r\n0\r\n\r\n", "0\r\nHost: x\r\n\r\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		body, rest, err := chunked(bytes.NewReader(in))
		if err != nil {
			return
		}
		const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		br := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(in)))
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatal(err)
		}
		wantBody, err := io.ReadAll(req.Body)
		if err != nil {
			return // net/http limits trailers and extensions in its own way
		}
		wantRest, _ := io.ReadAll(br)
		if body != string(wantBody) || rest != string(wantRest) {
			t.Fatalf("%q gives %q, then %q; net/http has %q, then %q", in, body, rest, wantBody, wantRest)
		}
	})
}
