package proxy

import "strings"

// rule is one rule of the guard: requests that all get the same answer.
type rule struct {
	name     string
	requests []string
	status   int  // 200: accepted
	open     bool // the connection may go on after a refusal
}

// r completes a request whose lines are divided by "\n": every line gets a CRLF, and an empty line ends it. Bytes that
// must not be touched are written as {LF}, {CR} and so on.
func r(lines string) string {
	return raw(strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n\r\n")
}

func raw(s string) string {
	return strings.NewReplacer("{LF}", "\n", "{CR}", "\r", "{NUL}", "\x00", "{VT}", "\v", "{FF}", "\f", "{BEL}", "\a", "{DEL}", "\x7f",
		"{HT}", "\t", "{80}", "\x80", "{E9}", "\xe9", "{FF8}", "\xff").Replace(s)
}

// with returns a POST with the given header lines added.
func with(lines ...string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, r("POST / HTTP/1.1\nHost: h\n"+l))
	}
	return out
}

// lines returns requests with the given request lines.
func lines(ls ...string) []string {
	var out []string
	for _, l := range ls {
		out = append(out, r(l+"\nHost: h"))
	}
	return out
}

// hosts returns requests with the given Host fields.
func hosts(hs ...string) []string {
	var out []string
	for _, h := range hs {
		out = append(out, r("GET / HTTP/1.1\nHost: "+h))
	}
	return out
}

// rules returns the guard's rules for testGuard.
func rules() []rule {
	return append(append(append(framingRules(), fieldRules()...), lineRules()...), hostRules()...)
}

func framingRules() []rule {
	return []rule{
		{name: "CL + TE", status: 400, requests: with(
			"Content-Length: 3\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\nContent-Length: 3",
			"Content-Length: 0\nTransfer-Encoding: chunked", "Content-Length: 3\nTransfer-Encoding: gzip",
			"Content-Length: x\nTransfer-Encoding: chunked")},
		{name: "two CL (any), 3, 3, empty, +3, -1, 0x3, above 2^63", status: 400, requests: with(
			"Content-Length: 3\nContent-Length: 3", "Content-Length: 3\nContent-Length: 4", "content-length: 3\nX: y\nCONTENT-LENGTH: 3",
			"Content-Length: 3, 3", "Content-Length: 3,", "Content-Length:", "Content-Length: +3", "Content-Length: -1", "Content-Length: 0x3",
			"Content-Length: 3 3", "Content-Length: 3.0", "Content-Length: 1e3", "Content-Length: 3;", "Content-Length: ٣",
			"Content-Length: 9223372036854775808", "Content-Length: 18446744073709551619", "Content-Length: 00000000000000000003")},
		{name: "CL 003", status: 200, requests: with("Content-Length: 003", "Content-Length: 0", "Content-Length:3", "Content-Length: {HT}3{HT}",
			"content-length: 3", "Content-Length: 00")},
		{name: "TE xchunked, gzip + chunked, parameters", status: 501, requests: with(
			"Transfer-Encoding: xchunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked;foo=bar", "Transfer-Encoding: gzip",
			"Transfer-Encoding: chunked;", "Transfer-Encoding: cow")},
		{name: "two TE lines, chunked twice, empty TE, identity", status: 400, requests: with(
			"Transfer-Encoding: chunked\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\ntransfer-encoding: identity",
			"Transfer-Encoding: gzip\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked, gzip",
			"Transfer-Encoding:", "Transfer-Encoding: identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked, identity",
			"Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chu nked",
			"Transfer-Encoding: {E9}chunked")},
		{name: "TE chunked", status: 200, requests: with("Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED", "transfer-encoding:{HT}chunked ")},
		{name: "TE on HTTP/1.0", status: 400, requests: []string{
			r("POST / HTTP/1.0\nHost: h\nTransfer-Encoding: chunked"), r("POST / HTTP/1.0\nTransfer-Encoding: gzip")}},
		{name: "GET, HEAD, OPTIONS with a body", status: 200, requests: []string{
			r("GET / HTTP/1.1\nHost: h\nContent-Length: 3"), r("HEAD / HTTP/1.1\nHost: h\nContent-Length: 3"),
			r("OPTIONS / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked")}},
		{name: "POST without CL and TE", status: 200, requests: []string{r("POST / HTTP/1.1\nHost: h")}},
		{name: "unknown Expect", status: 417, requests: with("Content-Length: 3\nExpect: 100-continu", "Expect:", "Expect: 100-continue, x",
			"Expect: 200-ok")},
		{name: "Expect: 100-continue", status: 200, requests: with("Content-Length: 3\nExpect: 100-continue", "Expect: 100-Continue")},
	}
}

func fieldRules() []rule {
	return []rule{
		{name: "space before the colon, no colon, empty name", status: 400, requests: with(
			"X : y", "X{HT}: y", "Content-Length : 3", "Host : h", "Transfer-Encoding : chunked", "X", "X y", ": y", ":", "GET / HTTP/1.1")},
		{name: "space, control character or byte from 0x80 in a name", status: 400, requests: with(
			"Transfer Encoding: chunked", "X{NUL}Y: z", "X{VT}: z", "X{80}: z", "{E9}: z", "X{DEL}: y", "X\"Y: z", "X(Y): z", "X/Y: z", "X@Y: z", "[x]: y",
			"X{CR}Y: z", "{CR}X: z", "X;Y: z")},
		{name: "obs-fold", status: 400, requests: with(
			"X: y\n z", "X: y\n{HT}z", " X: y", "{HT}X: y", "Transfer-Encoding:\n chunked", "Content-Length:\n 3", "X: y\n ", "X:\n : z")},
		{name: "fold in the first header line", status: 400, requests: []string{r("GET / HTTP/1.1\n Host: h"), r("GET / HTTP/1.1\n{HT}\nHost: h")}},
		{name: "bare LF", status: 400, requests: append(with("X: y{LF}Z: w", "X: y{LF}", "X: y{LF}{LF}GET /canary HTTP/1.1", "X: y{LF}{CR}{LF}", "X{LF}Y: z"),
			raw("GET / HTTP/1.1{LF}Host: h\r\n\r\n"), raw("GET / HTTP/1.1\r\nHost: h{LF}{LF}"), raw("GET / HTTP/1.1\r\nHost: h{LF}\r\n\r\n"),
			raw("GET /{LF} HTTP/1.1\r\nHost: h\r\n\r\n"), raw("{LF}GET / HTTP/1.1\r\nHost: h\r\n\r\n"))},
		{name: "CR, NUL, VT, FF, other control characters, DEL in a value", status: 400, requests: with(
			"X: a{CR}b", "X: {CR}", "X: a{CR}", "X: a{NUL}b", "X: {NUL}", "X: a{VT}b", "X: a{FF}b", "X: a{BEL}b", "X: a{DEL}b",
			"Transfer-Encoding: {VT}chunked", "Content-Length: 3{FF}", "Cookie: 0123456789{NUL}0123456789", "X: a{CR}Content-Length: 3")},
		{name: "any other byte in a value", status: 200, requests: with("X: a{HT}b {80}{E9}{FF8} \"<>\\{}|^`#%;", "X:", "X: ", "X:y", "X: "+strings.Repeat("y", 4000))},
		{name: "names with _ or other punctuation are dropped", status: 200, requests: with("X_Y: z", "Content_Length: 3", "Transfer_Encoding: chunked",
			"X.Y: z", "X!#$%&'*+^`|~: z")},
		{name: "duplicates of singletons", status: 400, requests: with(
			"Host: h", "host: other", "Content-Type: a/b\nContent-Type: a/b", "Authorization: Basic x\nauthorization: Basic y",
			"Proxy-Authorization: Basic x\nProxy-Authorization: Basic x", "Content-Length: 3\nExpect: 100-continue\nExpect: 100-continue",
			"Range: bytes=0-1\nRange: bytes=0-1", "If-Range: \"a\"\nIf-Range: \"a\"", "If-Match: *\nIf-Match: *", "If-None-Match: *\nIf-None-Match: *",
			"If-Modified-Since: x\nIf-Modified-Since: x", "If-Unmodified-Since: x\nIf-Unmodified-Since: x", "Content-Range: x\nContent-Range: x")},
		{name: "duplicates of other fields", status: 200, requests: with("Cookie: a\nCookie: b", "X: a\nX: b", "Accept: a\naccept: b", "Connection: a\nConnection: b")},
		{name: "as many header lines as allowed", status: 200, requests: with(strings.Repeat("X: y\n", 98) + "X: y")},
		{name: "more header lines than allowed", status: 431, requests: with(strings.Repeat("X: y\n", 99)+"X: y", strings.Repeat("X_: y\n", 99)+"X_: y")},
		{name: "header block above the limit", status: 431, requests: with(strings.Repeat("X: "+strings.Repeat("y", 8000)+"\n", 5) + "X: y")},
		{name: "Connection names many fields", status: 400, requests: with("Connection: x" + strings.Repeat(",x", 40))},
	}
}

func lineRules() []rule {
	return []rule{
		{name: "version other than 1.0 and 1.1", status: 505, requests: lines("GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET / HTTP/9.9", "GET / HTTP/3.0")},
		{name: "malformed version", status: 400, requests: lines("GET /", "GET / ", "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/1.", "GET / HTTP/11",
			"GET / HTTP/1.1 ", "GET / HTTP/1.1{HT}", "GET / HTTPS/1.1", "GET / HTTP/1,1", "GET / HTTP/ 1.1", "GET / XTTP/1.1")},
		{name: "PRI * on a plain port", status: 400, requests: []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}},
		{name: "white space in the request line", status: 400, requests: lines("GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET{HT}/ HTTP/1.1",
			"GET /{HT}HTTP/1.1", "GET / a HTTP/1.1", "GET {HT}/ HTTP/1.1", "GET {VT}/ HTTP/1.1")},
		{name: "CR or NUL in the request line", status: 400, requests: lines("GET /{CR} HTTP/1.1", "{CR}GET / HTTP/1.1", "GET / HTTP/1.1{CR}", "GET /{NUL} HTTP/1.1", "GE{NUL}T / HTTP/1.1")},
		{name: "#, space, control character, 0x7F in the target", status: 400, requests: lines("GET /a#b HTTP/1.1", "GET /#", "GET /?a#b HTTP/1.1", "GET /{BEL} HTTP/1.1",
			"GET /{DEL} HTTP/1.1", "GET /?{DEL} HTTP/1.1", "GET /?{BEL} HTTP/1.1")},
		{name: "bytes from 0x80 in the target", status: 200, requests: lines("GET /{E9}{80} HTTP/1.1", "GET /?{E9} HTTP/1.1")},
		{name: "any other byte in the target", status: 200, requests: lines("GET /\"<>\\^`{|};,@!$&'()*+:=~ HTTP/1.1", "GET /?\"<>\\^`{|}?/% HTTP/1.1")},
		{name: "CONNECT", status: 405, requests: append(lines("CONNECT h:443 HTTP/1.1", "CONNECT / HTTP/1.1"), r("CONNECT h HTTP/1.0"))},
		{name: "TRACE", status: 405, open: true, requests: lines("TRACE / HTTP/1.1")},
		{name: "method is not a token of at most 32 bytes", status: 400, requests: lines("G(T / HTTP/1.1", "G@T / HTTP/1.1", "G\"T / HTTP/1.1", "G{E9}T / HTTP/1.1",
			strings.Repeat("A", 33)+" / HTTP/1.1", "G,T / HTTP/1.1", "G{DEL} / HTTP/1.1", "{CR}{LF}{CR}{LF}GET / HTTP/1.1")},
		{name: "unknown methods", status: 200, requests: lines("get / HTTP/1.1", "FOO / HTTP/1.1", "M-SEARCH / HTTP/1.1", strings.Repeat("A", 32)+" / HTTP/1.1")},
		{name: "OPTIONS *", status: 200, requests: lines("OPTIONS * HTTP/1.1")},
		{name: "GET *", status: 400, requests: lines("GET * HTTP/1.1", "options * HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS *?a HTTP/1.1", "OPTIONS */ HTTP/1.1")},
		{name: "target is no path and no http or https URL", status: 400, requests: lines("GET a HTTP/1.1", "GET h/ HTTP/1.1", "GET ?a HTTP/1.1", "GET \\ HTTP/1.1",
			"GET ftp://h/ HTTP/1.1", "GET http:/h/ HTTP/1.1", "GET http:h HTTP/1.1", "GET javascript:x HTTP/1.1", "GET .. HTTP/1.1", "GET %2f HTTP/1.1")},
		{name: "absolute-form without a good host", status: 400, requests: lines("GET http:/// HTTP/1.1", "GET http:// HTTP/1.1", "GET http://?a HTTP/1.1",
			"GET http://u@h/ HTTP/1.1", "GET http://h:x/ HTTP/1.1", "GET http://h#a HTTP/1.1", "GET http://h\\a HTTP/1.1", "GET http://h:99999/ HTTP/1.1")},
		{name: "absolute-form differs from Host", status: 400, requests: append(lines("GET http://other/ HTTP/1.1", "GET http://h:80/ HTTP/1.1", "GET https://h.x/ HTTP/1.1"),
			r("GET http://h/ HTTP/1.0\nHost: other"))},
		{name: "absolute-form without Host", status: 400, requests: []string{r("GET http://h/ HTTP/1.1")}},
		{name: "absolute-form", status: 200, requests: append(lines("GET http://h/ HTTP/1.1", "GET HTTPS://H/a?b HTTP/1.1", "GET http://h HTTP/1.1", "GET http://h?a HTTP/1.1",
			"OPTIONS http://h HTTP/1.1"), r("GET http://h/ HTTP/1.0"))},
		{name: "leading CRLF", status: 200, requests: []string{raw("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")}},
		{name: "two leading CRLF", status: 400, requests: []string{raw("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), raw("\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
			raw("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"), raw("\r\rGET / HTTP/1.1\r\nHost: h\r\n\r\n")}},
		{name: "TLS on a plain port", status: 400, requests: []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}},
		{name: "request line above the limit", status: 414, requests: []string{r("GET /" + strings.Repeat("a", 8192) + " HTTP/1.1\nHost: h"), "GET /" + strings.Repeat("a", 8300)}},
		{name: "request line at the limit", status: 200, requests: []string{r("GET /" + strings.Repeat("a", 8192-14) + " HTTP/1.1\nHost: h")}},
		{name: "path with a NUL, a broken percent code, or a way above the root", status: 400, requests: lines("GET /%00 HTTP/1.1", "GET /a%00.jpg HTTP/1.1", "GET /% HTTP/1.1",
			"GET /%2 HTTP/1.1", "GET /%zz HTTP/1.1", "GET /%2g HTTP/1.1", "GET /.. HTTP/1.1", "GET /../ HTTP/1.1", "GET /a/../.. HTTP/1.1", "GET /%2e%2e/x HTTP/1.1",
			"GET /a/%2e%2e%2f%2e%2e%2f HTTP/1.1", "GET //../x HTTP/1.1", "GET /./../x HTTP/1.1", "GET /%+1 HTTP/1.1")},
	}
}

func hostRules() []rule {
	return []rule{
		{name: "no Host in HTTP/1.1", status: 400, requests: []string{r("GET / HTTP/1.1"), r("GET / HTTP/1.1\nX-Host: h"), r("GET / HTTP/1.1\nHost_: h")}},
		{name: "no Host in HTTP/1.0", status: 200, requests: []string{r("GET / HTTP/1.0")}},
		{name: "empty or invalid Host, userinfo, path, port", status: 400, requests: append(hosts("", " ", ".", "..", "a..b", "u@h", "u:p@h", "h/", "h/a", "h?a", "h#a", "h a", "h\\a", "a:b",
			"a:99999", "a:65536", "a:99999999999999999999", "a:80:80", "a:+1", ":80", "<x>", "a\"b", "a^b", "a|b", "a`b", "[::1", "::1", "[]", "[::1]x", "[::1]:x", "[::1].a", "h{E9}",
			"http://h", "a\u00e9b", "h,\u2028", "a{80}", "[a]b", "]", "[[]]", ".:80", "[:", "[/]"), r("GET / HTTP/1.0\nHost:"))},
		{name: "valid Host", status: 200, requests: hosts("h", "h:80", "H.Example.COM:8443", "h.", "h.:80", "h:", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8080", "[FE80::1]",
			"xn--bcher-kva.example", "a_b.c", "a-b", "h:0", "a,b", ".a")},
	}
}
