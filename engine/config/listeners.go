package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// listener is an address that the engine itself is going to listen on.
type listener struct {
	netip.AddrPort
	what string
	at   value // where it is said, for a fault of its own
}

// listeners finds two of our own listeners in each other's way, and services that lead back to one.
func (w *walk) listeners(r *root, drafts []*draft) {
	main := listener{addrPort(r.Listen), "dynapm's main listener", r.given["listen"]}
	ours := []listener{main}
	if r.AdminAPI.Enabled {
		api := listener{addrPort(r.AdminAPI.Listen), "dynapm's admin API", r.admin.at}
		if r.admin.given.has("port") {
			api.at = r.admin.given["port"]
		}
		if api.overlaps(main) {
			at := api.at
			if at.line == 0 { // adminApi is not in the config: listen runs into its default
				at = r.placeOfListen()
			}
			w.fault(at, "the admin API and the main listener cannot both have %s", main.AddrPort)
		}
		ours = append(ours, api)
	}
	fixed := len(ours)
	for _, d := range drafts {
		for _, c := range d.routes {
			if c.Kind != PortRoute {
				continue
			}
			own := listener{netip.AddrPortFrom(main.Addr(), uint16(c.Port)), "dynapm's port for " + d.Key, c.at}
			for _, other := range ours[:fixed] { // two services with one port are found as a route
				if own.overlaps(other) {
					w.fault(c.at, "port %d is taken by %s", c.Port, other.what)
				}
			}
			ours = append(ours, own)
		}
	}
	w.loops(ours, drafts)
}

// loops finds a base or target that is one of our own listeners: a request would go round for ever.
func (w *walk) loops(ours []listener, drafts []*draft) {
	byPort := map[int][]listener{}
	for _, l := range ours {
		byPort[int(l.Port())] = append(byPort[int(l.Port())], l)
	}
	local := localAddresses()
	for _, d := range drafts {
		check := func(b *Base, at value) {
			if b == nil || b.Unix != "" {
				return
			}
			for _, l := range byPort[b.Port] {
				if l.reachedBy(b.Host, local) {
					w.fault(at, "%s is %s; requests would go round in a loop", b.Raw, l.what)
					return
				}
			}
		}
		check(d.Base, d.given["base"])
		for _, c := range d.routes {
			check(c.Target, c.targetAt)
		}
	}
}

// placeOfListen is where the main listener is said, or the start of the file.
func (r *root) placeOfListen() value {
	for _, name := range []string{"listen", "port", "host"} {
		if r.given.has(name) {
			return r.given[name]
		}
	}
	return value{&node{line: 1, column: 1}, "listen"}
}

// addrPort reads what parseListen and JoinHostPort made; it is invalid where those had a fault.
func addrPort(s string) netip.AddrPort {
	host, port, err := net.SplitHostPort(s)
	n, _ := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}
	}
	if host == "" {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(n))
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, uint16(n))
}

// overlaps says whether the two cannot listen at once. :: is dual stack, so it takes the IPv4 port too.
func (l listener) overlaps(m listener) bool {
	a, b := l.Addr(), m.Addr()
	if !l.IsValid() || !m.IsValid() || l.Port() != m.Port() || l.Port() == 0 {
		return false
	}
	v6any := netip.IPv6Unspecified()
	return a == b || a == v6any || b == v6any ||
		a.IsUnspecified() && b.Is4() || b.IsUnspecified() && a.Is4()
}

// reachedBy says whether a connection to host, on our port, comes back to us. Names other than localhost's are not
// looked up: what they mean can change.
func (l listener) reachedBy(host string, local map[netip.Addr]bool) bool {
	if !l.IsValid() {
		return false
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		return l.Addr().IsLoopback() || l.Addr().IsUnspecified()
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.Unmap()
	if a.IsUnspecified() { // connecting to 0.0.0.0 or :: is connecting to loopback
		return l.Addr().IsLoopback() || l.Addr().IsUnspecified()
	}
	return a == l.Addr() || l.Addr().IsUnspecified() && (a.IsLoopback() || local[a])
}

// localAddresses are this machine's; without them only loopback is known to be ours.
func localAddresses() map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	found, err := net.InterfaceAddrs()
	if err != nil {
		return out
	}
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out[p.Addr().Unmap()] = true
		}
	}
	return out
}
