package proxy

import (
	"bytes"
	"net/netip"

	"hognose/internal/config"
	"hognose/internal/exchange"
)

// Forwarder decides whom to believe about clients (nginx: set_real_ip_from with real_ip_header X-Forwarded-For and
// real_ip_recursive on). It is immutable and safe for concurrent use.
//
// From a peer that is not trusted, all fields in which proxies speak for clients are removed: X-Forwarded-*,
// Forwarded, X-Real-IP, and those that carry a client's certificate. Nothing is put in their place. Applications need none: REMOTE_ADDR,
// the URL scheme and Host are true, and that is where Django (SECURE_PROXY_SSL_HEADER, USE_X_FORWARDED_HOST) and Werkzeug (ProxyFix) look
// when these fields are missing. What they find there cannot be a client's invention.
//
// From a trusted peer, X-Forwarded-For is read from right to left: the first address that is not trusted is the client. It becomes
// REMOTE_ADDR, and the only address in X-Forwarded-For and X-Real-IP, so that any number of proxies that an application believes in gives
// the same answer. X-Forwarded-Proto sets the scheme; one that is neither http nor https is removed. The other fields pass as they are.
type Forwarder struct {
	trusted config.Peers
	nobody  bool
}

// NewForwarder returns a Forwarder that trusts the given peers.
func NewForwarder(trusted config.Peers) *Forwarder {
	return &Forwarder{trusted: trusted, nobody: !trusted.Unix && len(trusted.Prefixes) == 0}
}

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 32

// Apply sets Remote and Scheme of ex, whose Remote is the peer's address, and removes or rewrites its fields.
func (f *Forwarder) Apply(ex *exchange.Exchange, hd *Head) {
	if !hd.forwarded {
		return
	}
	if f.nobody || !f.trusts(ex.Remote.Addr()) {
		removeForwarded(ex)
		return
	}
	if client, ok := f.client(ex); ok {
		ex.Remote = netip.AddrPortFrom(client, 0)
	}
	f.rewrite(ex, hd)
}

// trusts reports whether an address is a trusted peer's; the zero Addr is a Unix socket's.
func (f *Forwarder) trusts(a netip.Addr) bool {
	if !a.IsValid() {
		return f.trusted.Unix
	}
	return f.trusted.Contains(a)
}

func removeForwarded(ex *exchange.Exchange) {
	kept := ex.Fields[:0]
	for _, field := range ex.Fields {
		if kindOf(field.Name) != kindForwarded {
			kept = append(kept, field)
		}
	}
	ex.Fields = kept
}

// client walks X-Forwarded-For, all of its lines, from right to left to the first address that is not trusted. What is no
// address ends the walk: the last good one is the client then.
func (f *Forwarder) client(ex *exchange.Exchange) (client netip.Addr, ok bool) {
	hops := 0
	for i := len(ex.Fields) - 1; i >= 0; i-- {
		if !exchange.EqualFold(ex.Fields[i].Name, "x-forwarded-for") {
			continue
		}
		for list := ex.Fields[i].Value; list != nil; hops++ {
			var last []byte
			list, last = cutLast(list)
			a, valid := parseHop(last)
			if !valid || hops == maxHops {
				return client, ok
			}
			if client, ok = a, true; !f.trusts(a) {
				return client, true
			}
		}
	}
	return client, ok
}

// cutLast cuts the last element off a list. rest is nil when it was the only one.
func cutLast(list []byte) (rest, last []byte) {
	i := bytes.LastIndexByte(list, ',')
	if i < 0 {
		return nil, trimSpace(list)
	}
	return list[:i:i], trimSpace(list[i+1:])
}

// parseHop reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func parseHop(s []byte) (netip.Addr, bool) {
	if len(s) == 0 || len(s) > 64 {
		return netip.Addr{}, false
	}
	switch colon := bytes.IndexByte(s, ':'); {
	case s[0] == '[':
		end := bytes.IndexByte(s, ']')
		if end < 0 || !isPortSuffix(s[end+1:]) {
			return netip.Addr{}, false
		}
		s = s[1:end]
	case colon >= 0 && bytes.IndexByte(s, '.') >= 0 && bytes.LastIndexByte(s, ':') == colon:
		if !isPortSuffix(s[colon:]) {
			return netip.Addr{}, false
		}
		s = s[:colon]
	}
	a, err := netip.ParseAddr(string(s))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// isPortSuffix reports whether s is empty or ":PORT".
func isPortSuffix(s []byte) bool {
	if len(s) == 0 {
		return true
	}
	n, ok := parseLength(s[1:])
	return s[0] == ':' && ok && n <= 65535
}

// rewrite leaves in the fields of a trusted peer only what is vouched for.
func (f *Forwarder) rewrite(ex *exchange.Exchange, hd *Head) {
	if a := ex.Remote.Addr(); a.IsValid() {
		hd.addrMem = a.AppendTo(hd.addrMem[:0])
	}
	kept := ex.Fields[:0]
	told := false
	for _, field := range ex.Fields {
		switch {
		case kindOf(field.Name) != kindForwarded:
		case exchange.EqualFold(field.Name, "x-forwarded-for"):
			if told || !ex.Remote.IsValid() {
				continue
			}
			told = true
			field.Value = hd.addrMem
		case exchange.EqualFold(field.Name, "x-real-ip"):
			if !ex.Remote.IsValid() {
				continue
			}
			field.Value = hd.addrMem
		case exchange.EqualFold(field.Name, "x-forwarded-proto"):
			scheme, last := schemeOf(field.Value)
			if scheme == "" {
				continue
			}
			ex.Scheme, field.Value = scheme, last
		}
		kept = append(kept, field)
	}
	ex.Fields = kept
}

// schemeOf reads X-Forwarded-Proto: the last element is what the trusted peer itself saw.
func schemeOf(value []byte) (scheme string, last []byte) {
	_, last = cutLast(value)
	switch {
	case exchange.EqualFold(last, "https"):
		return "https", last
	case exchange.EqualFold(last, "http"):
		return "http", last
	}
	return "", last
}
