package proxy

import (
	"testing"

	"github.com/valyala/fasthttp"

	"hognose/internal/config"
)

// browserRequest has ten header fields, as a browser sends them.
const browserRequest = "GET /blog/2024/some-article/?page=2 HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://www.example.com/blog/\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: sessionid=0123456789abcdef0123456789abcdef; csrftoken=0123456789abcdef\r\n" +
	"Cache-Control: max-age=0\r\n" +
	"Sec-Fetch-Mode: navigate\r\n\r\n"

func BenchmarkGuard(b *testing.B) {
	run := newRun(testGuard())
	head := []byte(browserRequest)
	if err := run.head(head); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := run.g.Request(&run.ex, &run.hd, head, &run.h, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeadScanner(b *testing.B) {
	g := testGuard()
	head := []byte(browserRequest)
	b.ReportAllocs()
	for b.Loop() {
		var s HeadScanner
		if _, end, err := s.Scan(g, head); end != len(head) || err != nil {
			b.Fatal(end, err)
		}
	}
}

// BenchmarkParser is fasthttp's part, for comparison.
func BenchmarkParser(b *testing.B) {
	run := newRun(testGuard())
	head := []byte(browserRequest)
	var h fasthttp.RequestHeader
	b.ReportAllocs()
	for b.Loop() {
		run.source.Reset(head)
		run.br.Reset(&run.source)
		if err := h.Read(run.br); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	rt, err := NewRouter([]*config.Server{server(b, "80", "www.example.com", "/", "/static/", "/media/", "= /exact", "/blog/")}, tell)
	if err != nil {
		b.Fatal(err)
	}
	run := newRun(rt.Guard("0.0.0.0:80"))
	if err := run.head([]byte(browserRequest)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rt.Route("0.0.0.0:80", &run.ex, &run.hd); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccessLog(b *testing.B) {
	e, _ := logEntry(b, browserRequest)
	for _, format := range []string{config.FormatCombined, config.FormatJSON} {
		b.Run(format, func(b *testing.B) {
			l := NewAccessLog(func(error) {})
			defer l.Close()
			l.SetFormat(format)
			l.on.Store(true)
			b.ReportAllocs()
			for b.Loop() {
				l.Log(e.ex, e.line, 612)
			}
		})
	}
}
