package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// config reads the whole tree and then looks at what only the whole can show.
func (w *walk) config(tree *node) *Config {
	r := &root{}
	found := fill(w, value{tree, ""}, rootKeys, r)
	r.given = found
	w.listen(r)
	if r.admin == nil {
		r.admin = w.adminAPI(value{&node{kind: mapping}, "adminApi"})
	}
	r.AdminAPI = r.admin.AdminAPI
	if !r.given.has("logging") {
		fill(w, value{&node{kind: mapping}, "logging"}, loggingKeys, &r.Logging)
	}
	if !r.given.has("trustedProxies") {
		r.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	drafts := w.services(r)
	w.settle(r, drafts)
	w.sameNames(drafts)
	w.sameRoutes(drafts)
	w.dependences(drafts)
	w.listeners(r, drafts)
	r.Services = make([]Service, 0, len(drafts))
	for _, d := range drafts {
		r.Services = append(r.Services, d.Service)
	}
	return &r.Config
}

// listen settles the two ways to say where requests come in.
func (w *walk) listen(r *root) {
	for _, name := range []string{"host", "port"} {
		if r.given.has(name) && r.given.has("listen") {
			w.fault(r.given[name], "listen (line %d) says the same as host and port; keep one", r.given["listen"].line)
		}
	}
	if !r.given.has("listen") {
		r.Listen = net.JoinHostPort(r.host, strconv.Itoa(r.port))
	}
}

func (w *walk) adminAPI(v value) *admin {
	a := &admin{}
	found := fill(w, v, adminKeys, a)
	a.at, a.given = v, found
	a.Listen = net.JoinHostPort(a.host, strconv.Itoa(a.port))
	token, file := a.given.has("authToken"), a.given.has("authTokenFile")
	if token && file {
		w.fault(a.given["authTokenFile"], "authToken (line %d) is given as well; keep one", a.given["authToken"].line)
	}
	if v := a.given["allowedIps"]; a.given.has("allowedIps") && v.kind == list && len(v.items) == 0 {
		w.fault(v, "an empty list would let nobody in; leave it out, or set enabled: false")
	}
	address, err := netip.ParseAddr(a.host)
	if a.Enabled && err == nil && !address.IsLoopback() && !token && !file {
		w.fault(a.given["host"], "beyond loopback the admin API needs authToken or authTokenFile: it starts and stops services")
	}
	return a
}

func (w *walk) services(r *root) []*draft {
	v := r.services
	if v.node == nil || v.kind != null && !w.expect(v, mapping, "a map of services") {
		return nil
	}
	if len(v.entries) == 0 {
		w.fault(v, "there is no service here; each has its name as key")
		return nil
	}
	var drafts []*draft
	for _, e := range v.entries {
		drafts = append(drafts, w.service(e, childPath(v.path, e.key)))
	}
	return drafts
}

// settle hands the engine what was gathered in the drafts.
func (w *walk) settle(r *root, drafts []*draft) {
	for _, d := range drafts {
		if !d.given.has("drainTimeout") {
			d.DrainTimeout = r.DrainTimeout
		}
		for _, c := range d.routes {
			d.Routes = append(d.Routes, c.Route)
		}
	}
}

func (w *walk) sameNames(drafts []*draft) {
	first := map[string]*draft{}
	var dflt *draft
	for _, d := range drafts {
		at := d.keyAt
		if d.given.has("name") {
			at = d.given["name"]
		}
		if other := first[d.Name]; other != nil && d.Name != "" {
			w.fault(at, "the name %s is taken by the service in line %d", d.Name, other.keyAt.line)
		} else {
			first[d.Name] = d
		}
		if d.Default && dflt != nil {
			w.fault(d.given["default"], "%s (line %d) is the default already; there can be one", dflt.Key, dflt.given["default"].line)
		} else if d.Default {
			dflt = d
		}
	}
}

// sameRoutes finds requests that two services, or one service twice, lay claim to.
func (w *walk) sameRoutes(drafts []*draft) {
	type taken struct {
		by *draft
		at value
	}
	first := map[Route]taken{}
	for _, d := range drafts {
		for _, c := range d.routes {
			same := c.Route
			same.Target = nil
			if same.Kind == HostRoute && same.Path == "" {
				same.Path = "/"
			}
			other, clash := first[same]
			switch {
			case !clash:
				first[same] = taken{d, c.at}
			case other.by == d:
				w.fault(c.at, "%s stands twice in this service, first in line %d", c.describe(), other.at.line)
			default:
				w.fault(c.at, "%s goes to %s already (line %d)", c.describe(), other.by.Key, other.at.line)
			}
		}
	}
}

func (r Route) describe() string {
	switch r.Kind {
	case PortRoute:
		return "port " + strconv.Itoa(r.Port)
	case PathRoute:
		return "path " + r.Path
	}
	return "host " + r.Host + strings.TrimSuffix(r.Path, "/")
}
