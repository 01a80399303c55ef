package config

import (
	"maps"
	"slices"
	"strings"
)

// route is one entry of routes while it is read: what its value means depends on its type.
type route struct {
	kind   string
	value  value
	target *Base
}

// service reads one service and checks what can be seen in it alone.
func (w *walk) service(e entry, path string) *draft {
	d, at := &draft{}, value{e.value, path}
	found := fill(w, at, serviceKeys, d)
	d.at, d.given, d.Key = at, found, e.key
	d.keyAt = value{&node{line: e.line, column: e.column}, path}
	if e.value.kind != mapping {
		return d
	}
	w.name(d)
	w.wayToRun(d)
	w.ownRoutes(d)
	w.surroundings(d)
	w.account(d)
	w.health(d)
	w.trust(d)
	if !d.given.has("logs") {
		fill(w, value{&node{kind: mapping}, d.at.path}, logKeys, &d.Logs)
	}
	w.always(d)
	w.byTheClock(d)
	w.awake(d)
	return d
}

// name is the key unless it is given; a key that is no name, such as *.example.com, needs one.
func (w *walk) name(d *draft) {
	if d.Name = d.name; d.given.has("name") {
		return
	}
	if _, err := parseName(d.Key); err != nil {
		w.fault(d.keyAt, "%v; give it another with name", err)
		return
	}
	d.Name = d.Key
}

// wayToRun wants exactly one of run, commands and proxyOnly, and base where the address cannot be chosen.
func (w *walk) wayToRun(d *draft) {
	run, commands := d.given.has("run"), d.given.has("commands")
	switch {
	case run && commands:
		w.fault(d.later("run", "commands"), "run and commands exclude each other: either it is run as a process or something else runs it")
	case run && d.ProxyOnly:
		w.fault(d.later("run", "proxyOnly"), "a proxyOnly service is never started: remove run or proxyOnly")
	case commands && d.ProxyOnly:
		w.note(d.given["commands"], "these commands are never run, as the service is proxyOnly")
		d.Commands = nil
	case !run && !commands && (!d.given.has("proxyOnly") || d.given["proxyOnly"].text == "false"):
		w.fault(d.keyAt, "nothing says how it runs: give run, or commands with start and stop, or proxyOnly: true")
	}
	if d.ProxyOnly && d.given.has("maxConcurrent") {
		w.fault(d.later("maxConcurrent", "proxyOnly"), "the requests of a proxyOnly service are not counted: remove maxConcurrent or proxyOnly")
	}
	for _, name := range []string{"ignore", "keepAwake"} {
		if d.ProxyOnly && d.given.has(name) {
			w.fault(d.later(name, "proxyOnly"), "a proxyOnly service is never woken or stopped: remove %s or proxyOnly", name)
		}
	}
	if d.given.has("base") || run {
		return
	}
	if commands && !d.ProxyOnly {
		w.fault(d.given["commands"], "commands need base: where the service listens once it is started")
	} else if d.ProxyOnly {
		w.fault(d.given["proxyOnly"], "a proxyOnly service needs base: where requests go")
	}
}

// always settles restart. What is always up has no use for an idle time.
func (w *walk) always(d *draft) {
	if d.Always = d.restart == "always"; !d.Always {
		return
	}
	if d.ProxyOnly {
		w.fault(d.given["restart"], "a proxyOnly service is never started: remove restart or proxyOnly")
	}
	if d.given.has("idleTimeout") && !d.given.broken("idleTimeout") && d.IdleTimeout > 0 {
		w.fault(d.given["idleTimeout"], "with restart: always (line %d) it never sleeps; keep one", d.given["restart"].line)
	}
	d.IdleTimeout = 0
}

// awake completes keepAwake where it is not given.
func (w *walk) awake(d *draft) {
	if !d.given.has("keepAwake") {
		fill(w, value{&node{kind: mapping}, d.at.path}, keepAwakeKeys, &d.KeepAwake)
	}
}

// later is the one of two keys that stands further down.
func (d *draft) later(a, b string) value {
	va, vb := d.given[a], d.given[b]
	if (Pos{Line: va.line, Column: va.column}).compare(Pos{Line: vb.line, Column: vb.column}) > 0 {
		return va
	}
	return vb
}

func (w *walk) commands(d *draft, v value) {
	d.commands = &ownCommands{}
	d.commandsAt = fill(w, v, commandKeys, d.commands)
	d.Commands = &d.commands.Commands
}

// surroundings settles cwd and env, which may stand beside commands or within them, but not both.
func (w *walk) surroundings(d *draft) {
	for _, name := range []string{"cwd", "env"} {
		if d.given.has(name) && d.commandsAt.has(name) {
			w.fault(d.commandsAt[name], "%s stands within commands and beside it (line %d); keep one", name, d.given[name].line)
		}
	}
	if d.commandsAt.has("cwd") {
		d.Cwd = d.commands.cwd
	}
	if d.commandsAt.has("env") {
		d.Env = d.commands.env
	}
	if d.fileEnv != nil {
		d.Env = overlaid(d.fileEnv, d.Env)
	}
	if d.given.has("limits") && !d.given.has("run") {
		w.fault(d.given["limits"], "limits are for run: what commands leave behind is not the engine's to bound")
	}
}

// overlaid is both, sorted; what stands in both is over's.
func overlaid(under, over []string) []string {
	last := map[string]string{}
	for _, kv := range append(slices.Clone(under), over...) {
		name, _, _ := strings.Cut(kv, "=")
		last[name] = kv
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(last)) {
		out = append(out, last[name])
	}
	return out
}

// trust looks whether there is anything that tls is for, and whether its keys agree.
func (w *walk) trust(d *draft) {
	if !d.given.has("tls") {
		return
	}
	if d.TLS.InsecureSkipVerify && d.tlsAt.has("caFile") {
		w.fault(d.tlsAt["caFile"], "insecureSkipVerify (line %d) believes anybody, whoever signed; keep one", d.tlsAt["insecureSkipVerify"].line)
	}
	unknown := d.given.has("base") && d.Base == nil // it has its fault
	secure := d.Base != nil && d.Base.Scheme == "https" || strings.HasPrefix(d.HealthCheck.URL, "https:")
	for _, c := range d.routes {
		unknown = unknown || c.Target == nil && c.targetAt.node != nil
		secure = secure || c.Target != nil && c.Target.Scheme == "https"
	}
	if !secure && !unknown {
		w.fault(d.given["tls"], "nothing of this service is https: begin base with https://, or remove tls")
	}
}

// routes reads the list; each entry has its place in the claims.
func (w *walk) routes(v value) []claim {
	var out []claim
	w.list(v, "a list of routes", func(item value) {
		var r route
		g := fill(w, item, routeKeys, &r)
		if r.kind == "" || !g.has("value") {
			return
		}
		c := claim{Route{Target: r.target}, r.value, g["target"]}
		before := len(w.faults)
		switch r.kind {
		case "host":
			c.Kind = HostRoute
			hostName(func(r *Route) *string { return &r.Host })(w, &c.Route, r.value)
		case "port":
			c.Kind = PortRoute
			port(func(r *Route) *int { return &r.Port })(w, &c.Route, r.value)
		case "path":
			c.Kind = PathRoute
			pathPrefix(func(r *Route) *string { return &r.Path })(w, &c.Route, r.value)
		}
		if len(w.faults) == before && r.value.kind != broken {
			out = append(out, c)
		}
	})
	return out
}

// ownRoutes puts the routes of host, path, port and key before those of the list. See the package comment for
// the rule; what has a fault claims nothing.
func (w *walk) ownRoutes(d *draft) {
	var own []claim
	switch {
	case d.host != "":
		own = append(own, claim{Route: Route{Kind: HostRoute, Host: d.host, Path: d.path}, at: d.given["host"]})
	case d.path != "" && !d.given.has("host"):
		own = append(own, claim{Route: Route{Kind: PathRoute, Path: d.path}, at: d.given["path"]})
	}
	if d.port != 0 {
		own = append(own, claim{Route: Route{Kind: PortRoute, Port: d.port}, at: d.given["port"]})
	}
	if !d.given.has("host") && !d.given.has("path") && len(d.given["routes"].itemsOf()) == 0 {
		own = append(w.keyRoutes(d), own...)
	}
	d.routes = append(own, d.routes...)
}

// itemsOf is nil-safe: a key that is not given has no node.
func (v value) itemsOf() []*node {
	if v.node == nil {
		return nil
	}
	return v.items
}

// keyRoutes are the hosts of a service that names none: its key and, for one word, that below localhost, which
// browsers resolve to this machine (RFC 6761 section 6.3).
func (w *walk) keyRoutes(d *draft) []claim {
	host, err := parseHost(d.Key)
	if err != nil {
		_, nameErr := parseName(d.Key)
		if !d.Default && !d.given.has("port") && (nameErr == nil || d.given.has("name")) { // else the key has its fault already
			w.fault(d.keyAt, "the key is the host where no host is given, and %v", err)
		}
		return nil
	}
	out := []claim{{Route: Route{Kind: HostRoute, Host: host}, at: d.keyAt}}
	if !strings.Contains(host, ".") && !strings.Contains(host, ":") {
		out = append(out, claim{Route: Route{Kind: HostRoute, Host: host + ".localhost"}, at: d.keyAt})
	}
	return out
}
