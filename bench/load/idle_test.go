package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestIdleHoldsConnections(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	held, err := Idle{Addr: addr, Path: "/", Connections: 20, Dialers: 3}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if got := held.Open(); got != 20 {
		t.Errorf("got %d open connections, want 20", got)
	}
	server.CloseClientConnections()
	deadline := time.Now().Add(10 * time.Second)
	for held.Open() != 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections count as open after the server closed all", held.Open())
		}
	}
}

func TestIdleNeedsEveryConnection(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	if _, err := (Idle{Addr: addr, Path: "/", Connections: 2, Dialers: 1}).Open(context.Background()); err == nil {
		t.Error("got no error from a server that answers 404")
	}
}
