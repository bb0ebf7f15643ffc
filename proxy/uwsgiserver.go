package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"hognose/internal/config"
	"hognose/internal/exchange"
	"hognose/internal/uwsgi"
)

// serveUWSGI serves a connection of a listener for the uwsgi protocol: one request, answered as uWSGI does, with
// an HTTP response whose end is the end of the connection. What is no packet is not answered.
func (c *conn) serveUWSGI() {
	c.setPhase(phaseFirst, c.http().ClientHeaderTimeout.Std())
	if err := c.await(); err != nil || c.w == nil || !c.beginRequest() {
		return
	}
	start := time.Now()
	packet, err := c.readPacket()
	if err != nil {
		c.srv.log.Warn().Err(err).Str("listen", c.l.addr).Str("remote", c.remote.String()).
			Msg("uwsgi connection is closed: what came is not a request")
		return
	}
	vars, err := uwsgi.Parse(nil, packet)
	if err != nil {
		c.srv.log.Warn().Err(err).Str("listen", c.l.addr).Str("remote", c.remote.String()).
			Msg("uwsgi request is refused")
		return
	}
	c.requests++
	c.answerUWSGI(vars, start)
}

// readPacket reads exactly one packet, which stays in w.in.
func (c *conn) readPacket() ([]byte, error) {
	c.setPhase(phaseHead, c.http().ClientHeaderTimeout.Std())
	w := c.w
	size := uwsgi.HeaderLen
	for {
		if p := w.buffered(); len(p) >= uwsgi.HeaderLen {
			n, err := uwsgi.Size(p)
			if err != nil {
				return nil, err
			}
			size = n
		}
		if len(w.buffered()) >= size {
			p := w.buffered()[:size:size]
			w.pos += size
			return p, nil
		}
		if err := c.fill(); err != nil {
			if c.timedOut(err) {
				err = errors.New("it did not come in time (client_header_timeout)")
			}
			return nil, fmt.Errorf("%d of %d bytes of the packet came: %w", len(w.buffered()), size, err)
		}
	}
}

// answerUWSGI judges a request, routes it, runs its handler and writes the response.
func (c *conn) answerUWSGI(vars []exchange.Field, start time.Time) {
	ex := &c.w.ex
	settings := c.srv.settings.Load()
	limits := settings.Router.HTTP(c.l.addr)
	err := settings.Router.Guard(c.l.addr).readUWSGI(ex, &c.w.head, vars)
	ex.Local, ex.Start, ex.Gone = c.local, start, c.goneFn
	if ex.ID == nil {
		ex.ID = requestID(&c.w.id)
	}
	if err == nil {
		var loc *Location
		if loc, err = settings.Router.routeUWSGI(c.l.addr, ex, &c.w.head); err == nil {
			limits = &loc.HTTP
			err = c.serveLocation(loc)
		}
	}
	if err != nil {
		c.w.body.broken = true
		c.fail(ex, err)
	}
	c.respondUWSGI(limits)
	c.srv.logAccess(c, ex)
	ex.Response.Release()
}

// serveLocation runs the handler of a location, with the request's body.
func (c *conn) serveLocation(loc *Location) error {
	if err := c.openBody(&loc.HTTP); err != nil {
		return err
	}
	c.setPhase(phaseHandler, 0)
	return c.call(loc.Handler, &c.w.ex)
}

// routeUWSGI is Route for an inbound packet, whose variables stay where the location does not set its own.
func (r *Router) routeUWSGI(addr string, ex *exchange.Exchange, hd *Head) (*Location, error) {
	params, script := ex.Params, ex.ScriptName
	loc, err := r.Route(addr, ex, hd)
	if err != nil {
		return loc, err
	}
	if ex.ScriptName == "" {
		ex.ScriptName = script
	}
	own := ex.Params
	ex.Params = append(make([]exchange.Field, 0, len(own)+len(params)), own...)
	for _, p := range params {
		if !slices.ContainsFunc(own, func(o exchange.Field) bool { return string(o.Name) == string(p.Name) }) {
			ex.Params = append(ex.Params, p)
		}
	}
	return loc, nil
}

// respondUWSGI writes ex.Response as uWSGI does. Date, Server and Connection are for the server in front to write.
func (c *conn) respondUWSGI(limits *config.HTTP) {
	w := c.w
	ex := &w.ex
	if ex.Response.Status == exchange.ClientClosed {
		return
	}
	c.sendTimeout = limits.SendTimeout.Std()
	c.sent = 0
	f := c.frame(ex, limits)
	f.chunked, f.keep = false, false
	c.setPhase(phaseWrite, c.sendTimeout)
	w.out = appendHeadUWSGI(w.out[:0], &ex.Response, f)
	if err := c.writeBody(ex, f); err != nil {
		c.tear(ex, err)
		return
	}
	if w.body.c != nil && !w.body.done || w.body.broken || c.sendsMore() {
		c.linger()
	}
}

func appendHeadUWSGI(b []byte, r *exchange.Response, f framing) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	if len(r.Reason) > 0 {
		b = append(b, r.Reason...)
	} else {
		b = append(b, http.StatusText(r.Status)...)
	}
	b = append(b, '\r', '\n')
	for i := range r.Fields {
		b = append(append(b, r.Fields[i].Name...), ": "...)
		b = append(append(b, r.Fields[i].Value...), '\r', '\n')
	}
	if f.length >= 0 {
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, f.length, 10), '\r', '\n')
	}
	return append(b, '\r', '\n')
}
