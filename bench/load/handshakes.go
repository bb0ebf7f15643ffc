package load

import (
	"context"
	ctls "crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Handshakes makes full TLS handshakes, each on a new connection that asks for
// one resource and is closed by the server. Nothing is resumed.
type Handshakes struct {
	Addr        string // host:port
	Path        string
	Connections int // at a time
	Duration    time.Duration
}

// config allows what every TLS library of the peers has, so that all of them do
// the same work: TLS 1.3 with X25519. Go would offer a post-quantum key
// exchange too, which costs more and which only some of the servers know.
func (h Handshakes) config() *ctls.Config {
	return &ctls.Config{
		InsecureSkipVerify: true, // a self-signed certificate made for this run
		MinVersion:         ctls.VersionTLS13,
		CurvePreferences:   []ctls.CurveID{ctls.X25519},
	}
}

// Run returns after Duration, or with the error of ctx. The latency is that of
// connect, handshake and the first request together.
func (h Handshakes) Run(ctx context.Context) (Result, error) {
	var (
		mu        sync.Mutex
		wait      sync.WaitGroup
		result    Result
		latencies []time.Duration
	)
	start, config := time.Now(), h.config()
	for range h.Connections {
		wait.Go(func() {
			for ctx.Err() == nil && time.Since(start) < h.Duration {
				begun := time.Now()
				err := h.once(ctx, config)
				mu.Lock()
				if err != nil && len(result.Failures) == 0 {
					result.Failures = []string{"connection failed: " + err.Error()}
				}
				if err == nil {
					latencies = append(latencies, time.Since(begun))
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	result.Requests, result.Elapsed = len(latencies), time.Since(start)
	result.setLatencies(latencies)
	return result, nil
}

// once is one connection from its opening to its end.
func (h Handshakes) once(ctx context.Context, config *ctls.Config) error {
	dialer := net.Dialer{Timeout: requestTimeout}
	socket, err := dialer.DialContext(ctx, "tcp", h.Addr)
	if err != nil {
		return err
	}
	defer reset(socket)
	c := newClient(ctls.Client(socket, config))
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", h.Path, h.Addr)
	if err := c.get(request); err != nil {
		return err
	}
	if extra, err := io.Copy(io.Discard, c.reader); err != nil || extra > 0 {
		return fmt.Errorf("connection does not end after its answer: %d bytes more, error %v", extra, err)
	}
	return nil
}
