package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"hognose/internal/exchange"
	"hognose/internal/spool"
)

// Config describes one uwsgi server and how long to wait for it.
type Config struct {
	// Address is "host:port", or the absolute path of a Unix socket, which may have "unix:" in front.
	Address string
	// ConnectTimeout bounds the connecting (nginx: uwsgi_connect_timeout). 0 is 60 s, here and below.
	ConnectTimeout time.Duration
	// SendTimeout is the longest time without progress while the request is sent (nginx: uwsgi_send_timeout).
	SendTimeout time.Duration
	// ReadTimeout is the longest silence of the server after the request was sent (nginx: uwsgi_read_timeout).
	ReadTimeout time.Duration
	// Buffering takes the response faster than the client does (nginx: uwsgi_buffering).
	Buffering bool
	// MaxTempFileSize bounds a buffered response on disk, in bytes; 0 buffers in memory alone (nginx: uwsgi_max_temp_file_size).
	MaxTempFileSize int64
	// Body says where request bodies are kept, and its Dir where responses are.
	Body spool.Limits
}

// defaultTimeout is nginx's for connecting, sending and reading.
const defaultTimeout = 60 * time.Second

// Client passes requests to one uwsgi server. It has no state but memory for reuse; Serve may be called concurrently.
type Client struct {
	cfg     Config
	network string
	address string
	calls   sync.Pool
}

// New checks cfg and returns its client. It does not connect.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, network: "tcp", address: cfg.Address}
	for _, d := range []*time.Duration{&c.cfg.ConnectTimeout, &c.cfg.SendTimeout, &c.cfg.ReadTimeout} {
		if *d == 0 {
			*d = defaultTimeout
		}
		if *d < 0 {
			return nil, fmt.Errorf("timeout %s of uwsgi server %q is negative", *d, cfg.Address)
		}
	}
	path, isUnix := strings.CutPrefix(cfg.Address, "unix:")
	if strings.HasPrefix(path, "/") {
		c.network, c.address = "unix", path
	} else if _, port, err := net.SplitHostPort(cfg.Address); isUnix || err != nil || port == "" {
		return nil, fmt.Errorf(`%q is not the address of a uwsgi server: write "host:port" or "unix:/path"`, cfg.Address)
	}
	c.calls.New = func() any { return &call{client: c} }
	return c, nil
}

// Serve answers ex with what the server answers. It is an exchange.Handler.
func (c *Client) Serve(ex *exchange.Exchange) error {
	k := c.calls.Get().(*call)
	k.gone = ex.Gone
	if err := k.run(ex); err != nil {
		ex.Response.Reset() // it may hold fields in the call's memory
		k.Close()
		return c.statusError(err)
	}
	ex.Response.Owner = k
	return nil
}

// Errors that a call finds by itself.
var (
	errReadTimeout = errors.New("it was silent for longer than uwsgi_read_timeout")
	errBacklogFull = errors.New("its backlog was full for longer than uwsgi_connect_timeout")
	errSendTimeout = errors.New("it took nothing of the request for longer than uwsgi_send_timeout")
	errNoAnswer    = errors.New("it closed the connection without an answer: see its log, and whether the request fits into its buffer-size")
	errCutHead     = errors.New("it closed the connection in the head of its answer")
	errLargeHead   = fmt.Errorf("the head of its answer exceeds %d bytes", maxHead)
)

// statusError gives an error that has no status yet the server's name and 502 or 504.
func (c *Client) statusError(err error) error {
	if _, ok := errors.AsType[*exchange.StatusError](err); ok {
		return err
	}
	code := http.StatusBadGateway
	if tookTooLong(err) {
		code = http.StatusGatewayTimeout
	}
	return exchange.Errorf(code, "uwsgi server %q: %w", c.cfg.Address, err)
}

func tookTooLong(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() ||
		errors.Is(err, errBacklogFull) || errors.Is(err, errSendTimeout) || errors.Is(err, errReadTimeout)
}
