package config

import (
	"net/netip"
	"time"
)

// root is the outermost map while it is read.
type root struct {
	Config
	host     string
	port     int
	services value
	given    given
	admin    *admin
}

// admin is the map adminApi while it is read.
type admin struct {
	AdminAPI
	host  string
	port  int
	given given
	at    value
}

var rootKeys = []key[root]{
	{name: "listen", dflt: "127.0.0.1:3000", doc: "where requests come in; :3000 is every address",
		read: listenAddress(func(r *root) *string { return &r.Listen })},
	{name: "host", dflt: "127.0.0.1", doc: "with port, DynaPM's way to write listen",
		read: ipAddress(func(r *root) *string { return &r.host })},
	{name: "port", dflt: "3000", doc: "with host, DynaPM's way to write listen",
		read: listenPort(func(r *root) *int { return &r.port })},
	{name: "stateDir", dflt: ".dynapm", doc: "what the engine keeps: sockets and the services' output",
		read: stateDirectory(func(r *root) *string { return &r.StateDir })},
	{name: "adminApi", doc: "status, start and stop over HTTP",
		read: func(w *walk, r *root, v value) { r.admin = w.adminAPI(v) }},
	{name: "logging", doc: "what is logged beside the events of services",
		read: func(w *walk, r *root, v value) { fill(w, v, loggingKeys, &r.Logging) }},
	{name: "trustedProxies", doc: "peers whose X-Forwarded-* headers are kept and appended to",
		read: prefixes(func(r *root) *[]netip.Prefix { return &r.TrustedProxies })},
	{name: "headTimeout", dflt: "10s", doc: "for the whole head of a request to arrive",
		read: duration(func(r *root) *time.Duration { return &r.HeadTimeout })},
	{name: "keepAliveTimeout", dflt: "75s", doc: "for the next request on an idle connection",
		read: duration(func(r *root) *time.Duration { return &r.KeepAliveTimeout })},
	{name: "connectTimeout", dflt: "5s", doc: "for a connection to a service",
		read: duration(func(r *root) *time.Duration { return &r.ConnectTimeout })},
	{name: "writeTimeout", dflt: "60s", doc: "for a peer that stopped reading to go on",
		read: duration(func(r *root) *time.Duration { return &r.WriteTimeout })},
	{name: "drainTimeout", dflt: "5s", doc: "for requests in flight to end when the engine leaves; also the default for services",
		read: duration(func(r *root) *time.Duration { return &r.DrainTimeout })},
	{name: "coldStartHeader", dflt: "false", doc: "tells who waited for a start how long each step took, as Server-Timing",
		read: trueOrFalse(func(r *root) *bool { return &r.ColdStartHeader })},
	{name: "maxConcurrentStarts", doc: "services that start at one time, further ones wait for their turn; without it, twice the cores",
		read: numberBetween(1, 100_000, "how many may start at one time", func(r *root) *int { return &r.MaxConcurrentStarts })},
	{name: "services", need: true, doc: "the services, each under its key",
		read: func(w *walk, r *root, v value) { r.services = v }},
}

var adminKeys = []key[admin]{
	{name: "enabled", dflt: "true", doc: "whether there is an admin API",
		read: trueOrFalse(func(a *admin) *bool { return &a.Enabled })},
	{name: "host", dflt: "127.0.0.1", doc: "its address; anything but loopback demands a token",
		read: ipAddress(func(a *admin) *string { return &a.host })},
	{name: "port", dflt: "4000", doc: "its port",
		read: listenPort(func(a *admin) *int { return &a.port })},
	{name: "authToken", doc: "what callers must send as Authorization: Bearer TOKEN",
		read: authToken},
	{name: "authTokenFile", doc: "a file with that token, so that it is not in the config",
		read: authTokenFile},
	{name: "allowedIps", doc: "addresses or networks that may call it; without it, all that can reach it",
		read: prefixes(func(a *admin) *[]netip.Prefix { return &a.AllowedIPs })},
}

var loggingKeys = []key[Logging]{
	{name: "enableRequestLog", dflt: "false", doc: "one line for each request",
		read: trueOrFalse(func(l *Logging) *bool { return &l.EnableRequestLog })},
}
