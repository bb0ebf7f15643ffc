// Package proxy is the front: everything that touches a client.
//
// The path of a request:
//
//	listener ─► accept ─► conn (one goroutine each; TLS below it) ─► request head ─► fasthttp's parser
//	   ─► guard (security rules, one Exchange) ─► Router (virtual host, location) ─► Handler of the location
//	   ─► respond (framing, buffers, sendfile) ─► access log ─► next request of the connection
//
// Handlers come from the composition root as values: the package imports no sibling.
//
// The connection loop is ours and not fasthttp.Server: that one keeps a read buffer of the
// largest header size per idle connection when bodies are streamed, and an idle connection must cost little.
// The parser is fasthttp's, always followed by the guard, and both must agree.
//
// Goroutines: one accept loop per listener, ended by closing it; one per connection, ended by the client, a deadline or
// Shutdown; one janitor per Server, which enforces all deadlines by looking at every connection twice a
// second instead of arming a timer per phase of each request; the access log's writer. Server.Shutdown stops all.
//
// Invariants: any doubt about the framing of a request ends its connection after the answer;
// a response is written completely or its connection is closed.
package proxy
