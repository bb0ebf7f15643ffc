package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// Peers is a set of addresses that are trusted to speak for others (nginx's set_real_ip_from). The zero value trusts nobody.
type Peers struct {
	Unix     bool           // clients on Unix sockets, "unix:"
	Prefixes []netip.Prefix // masked; IPv4 never in its IPv6-mapped form
}

// Contains reports whether the address is one of a trusted peer. An IPv4-mapped address counts as IPv4.
func (p Peers) Contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p.Prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

// add reads an address, a network in CIDR notation, or "unix:".
func (p *Peers) add(s string) error {
	if s == "unix:" {
		p.Unix = true
		return nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		addr, addrErr := netip.ParseAddr(s)
		if addrErr != nil || addr.Zone() != "" {
			return fmt.Errorf("%q is not an address, a network such as \"10.0.0.0/8\", or \"unix:\"", shorten(s))
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if a := prefix.Addr(); a.Is4In6() {
		if prefix.Bits() < 96 {
			return fmt.Errorf("%q mixes IPv4 and IPv6; write an IPv4 network such as \"10.0.0.0/8\"", s)
		}
		prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
	}
	prefix = prefix.Masked()
	if !slices.Contains(p.Prefixes, prefix) {
		p.Prefixes = append(p.Prefixes, prefix)
	}
	return nil
}

// strings returns what add reads.
func (p Peers) strings() []string {
	var list []string
	if p.Unix {
		list = append(list, "unix:")
	}
	for _, prefix := range p.Prefixes {
		list = append(list, prefix.String())
	}
	return list
}

func (p *Peers) decode(v any) error {
	*p = Peers{} // a level that sets the key replaces what it would inherit, as in nginx
	list, ok := v.([]any)
	if s, isString := v.(string); isString {
		list, ok = []any{s}, true
	}
	if !ok {
		return expected("a list of addresses and networks", `["10.0.0.0/8", "unix:"]`, v)
	}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return expected("an address or network", `"10.0.0.0/8"`, e)
		}
		if err := p.add(s); err != nil {
			return err
		}
	}
	return nil
}
