package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHandshakes(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			t.Error("a session was resumed, want a full handshake")
		}
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	h := Handshakes{
		Addr: strings.TrimPrefix(server.URL, "https://"), Path: "/",
		Connections: 4, Duration: 100 * time.Millisecond,
	}
	got, err := h.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests == 0 || len(got.Failures) > 0 || got.P50 <= 0 {
		t.Errorf("got %+v, want handshakes and no failures", got)
	}
	h.Path = "/missing"
	if got, err = h.Run(context.Background()); err != nil || len(got.Failures) == 0 {
		t.Errorf("got %+v, %v; want a failure from 404", got, err)
	}
}
