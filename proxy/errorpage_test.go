package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"hognose/internal/exchange"
)

func TestRenderError(t *testing.T) {
	f := func(err error, status int, closes bool, fields ...string) {
		t.Helper()
		ex := &exchange.Exchange{Target: []byte("/secret-target"), Host: []byte("secret-host")}
		ex.Response.Add("X-Left-Over", "y")
		RenderError(ex, err)
		r := &ex.Response
		fields = append(fields, "Content-Type=text/html; charset=utf-8")
		if r.Status != status || r.Close != closes || !slices.Equal(fieldList(r.Fields), fields) {
			t.Errorf("%v gives %d, close %t, %q; want %d, %t, %q", err, r.Status, r.Close, fieldList(r.Fields), status, closes, fields)
		}
		if r.Length != int64(len(r.Body)) || !bytes.Contains(r.Body, fmt.Appendf(nil, "<title>%d ", status)) {
			t.Errorf("%v gives %q", err, r.Body)
		}
		if bytes.Contains(r.Body, []byte("secret")) {
			t.Errorf("%v is reflected: %q", err, r.Body)
		}
	}
	f(errors.New("secret cause"), 500, false)
	f(exchange.Errorf(404, "secret cause"), 404, false)
	f(fmt.Errorf("wrapped: %w", &exchange.StatusError{Code: 400, Close: true}), 400, true)
	f(&exchange.StatusError{Code: 503, RetryAfter: 1500 * time.Millisecond}, 503, false, "Retry-After=2")
	f(&exchange.StatusError{Code: 405}, 405, false, "Allow="+serverMethods)
	f(&exchange.StatusError{Code: 599}, 599, false)
}

func TestRenderErrorClientClosed(t *testing.T) {
	ex := &exchange.Exchange{}
	RenderError(ex, &exchange.StatusError{Code: exchange.ClientClosed})
	if r := &ex.Response; r.Status != 499 || !r.Close || r.Body != nil || len(r.Fields) != 0 {
		t.Errorf("got %+v; want status 499 alone", r)
	}
}

func TestRenderOptions(t *testing.T) {
	ex := &exchange.Exchange{}
	if err := RenderOptions(ex); err != nil || ex.Response.Status != 200 || len(ex.Response.Body) != 0 ||
		!slices.Equal(fieldList(ex.Response.Fields), []string{"Allow=" + serverMethods}) {
		t.Errorf("got %v, %+v", err, ex.Response)
	}
}
