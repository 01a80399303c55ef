package engine

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"dynapm/netio"
)

// table finds the route of a request; it is netio's Admission. It never changes once it serves.
//
// On the main listener the host decides first: its exact name, then the longest wildcard, each with the longest path
// prefix among its routes; then the path prefixes that stand for any host; then the default service. A listener of a
// service's own leads to that service alone.
type table struct {
	ports []*route // by listener; nil: the main one
	exact map[string]paths
	below map[string]paths // by the suffix behind the *, ".example.com"
	any   paths
	other *route // the default service
}

// paths are the routes of one host, the longest prefix first.
type paths []prefixed

type prefixed struct {
	prefix string // "" takes every path
	*route
}

// Route is allocation free: string(host) as a map key makes no copy.
func (t *table) Route(listener int, host, path []byte, fields netio.Fields) netio.Route {
	r := t.find(listener, host, path)
	if r == nil {
		return nil
	}
	if r.unheard != nil {
		if u := r.unheard.find(path, fields); u != nil {
			return u
		}
	}
	return r
}

func (t *table) find(listener int, host, path []byte) *route {
	if r := t.ports[listener]; r != nil {
		return r
	}
	if r := t.exact[string(host)].match(path); r != nil {
		return r
	}
	if len(t.below) > 0 {
		for i := bytes.IndexByte(host, '.'); i >= 0; {
			if r := t.below[string(host[i:])].match(path); r != nil {
				return r
			}
			next := bytes.IndexByte(host[i+1:], '.')
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
	if r := t.any.match(path); r != nil {
		return r
	}
	return t.other
}

// match takes whole segments: /v1 leads /v1 and /v1/users, not /v10.
func (p paths) match(path []byte) *route {
	for _, r := range p {
		if under(path, r.prefix) {
			return r.route
		}
	}
	return nil
}

// under tells whether a path is the prefix, or goes on behind it with a segment.
func under(path []byte, prefix string) bool {
	n := len(prefix)
	return n == 0 || len(path) >= n && string(path[:n]) == prefix && (len(path) == n || path[n] == '/' || prefix[n-1] == '/')
}

// add puts a route into the table; host "" stands for any.
func (t *table) add(host, prefix string, r *route) {
	if prefix == "/" {
		prefix = ""
	}
	entry := prefixed{prefix, r}
	host = strings.ToLower(host)
	switch {
	case host == "":
		t.any = t.any.with(entry)
	case strings.HasPrefix(host, "*"):
		t.below[host[1:]] = t.below[host[1:]].with(entry)
	default:
		t.exact[host] = t.exact[host].with(entry)
	}
}

func (p paths) with(r prefixed) paths {
	p = append(p, r)
	slices.SortStableFunc(p, func(a, b prefixed) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return p
}
