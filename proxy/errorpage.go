package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hognose/internal/exchange"
)

// serverMethods is the Allow field of answers that are about no resource in particular.
const serverMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// RenderError makes the response the answer to err: that of a StatusError, 500 for any other error. The page is static; nothing of the
// request or of the error is in it. Status exchange.ClientClosed gets no page, for nobody is there.
func RenderError(ex *exchange.Exchange, err error) {
	r := &ex.Response
	r.Reset()
	r.Status = http.StatusInternalServerError
	se, ok := errors.AsType[*exchange.StatusError](err)
	if ok {
		r.Status = se.Code
		r.Close = se.Close
	}
	if r.Status == exchange.ClientClosed {
		r.Close = true
		return
	}
	if ok && se.RetryAfter > 0 {
		r.Add("Retry-After", retryAfter(se.RetryAfter))
	}
	if r.Status == http.StatusMethodNotAllowed {
		r.Add("Allow", serverMethods)
	}
	r.Add("Content-Type", "text/html; charset=utf-8")
	r.Body = errorPage(r.Status)
	r.Length = int64(len(r.Body))
}

// retryAfter is in whole seconds, rounded up (RFC 9110 section 10.2.3).
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

const pageFormat = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%[1]d %[2]s</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { display: grid; place-content: center; min-height: 90vh; margin: 0; text-align: center }
h1 { font-size: 3rem; margin: 0 }
p { margin: 0; opacity: .75 }
</style>
</head>
<body>
<main>
<h1>%[1]d</h1>
<p>%[2]s</p>
</main>
</body>
</html>
`

// errorPage returns the page of a status.
func errorPage(status int) []byte {
	text := http.StatusText(status)
	if text == "" {
		text = "Error"
	}
	return fmt.Appendf(nil, pageFormat, status, text)
}

// RenderOptions answers OPTIONS *, which asks for what the server can do as a whole (RFC 9110 section 9.3.7).
func RenderOptions(ex *exchange.Exchange) error {
	ex.Response.Reset()
	ex.Response.Status = http.StatusOK
	ex.Response.Add("Allow", serverMethods)
	return nil
}
