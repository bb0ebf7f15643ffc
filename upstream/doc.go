// Package upstream passes requests to other people's servers: to a real uWSGI (or any
// server of the uwsgi protocol), as nginx's uwsgi_pass does.
//
// Place in the flow: the router of package proxy hands an exchange to (*Client).Serve,
// which fills the response; the protocol loop sends it.
//
// # One request
//
// The request body is taken in completely first, in memory or a file (nginx:
// uwsgi_request_buffering), so that a slow client holds no worker of the server. Then a connection is made, for this
// request alone: uWSGI closes it after the response. The packet and the body are sent, exactly
// CONTENT_LENGTH bytes of it, while the response is already being read: a server may answer before it
// has read everything. A request is sent once. Only the attempt to connect is repeated, and only while
// the server's backlog is full.
//
// The head of the response, "HTTP/1.1 200 OK" and fields or fields with a "Status: 200 OK" among them
// (RFC 3875), is at most 64 KiB, and judged by exchange.Response.Adopt. What is wrong with it is a 502. A body
// longer than its Content-Length is cut there; one that is shorter breaks the response off. A small body is
// handed over whole, a larger one as a stream. With Buffering, the stream is taken from the server
// as fast as it comes, into memory and then a file, so that a slow reader frees the server's worker
// (nginx: uwsgi_buffering).
//
// # Errors
//
// All are exchange.StatusErrors that name the server: 400, 408, 413, 507 of the request body, 431 for variables that do
// not fit into a packet, 499 when the client left first, 502 when the server cannot be reached or answers wrongly, 504 when it takes too long.
//
// # Goroutines
//
// Per request at most two, none for small ones: one that sends a larger body, one that
// buffers a response. Both end when the connection is closed, and closing the
// response's Owner closes it and waits for them.
package upstream
