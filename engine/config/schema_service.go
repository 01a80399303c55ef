package config

import (
	"syscall"
	"time"

	"dynapm/engine/config/schedule"
)

// draft is a service while it is read: what has been decoded, and what the checks need to know of its writing.
type draft struct {
	Service
	at         value // its map
	keyAt      value // its key
	given      given
	name       string
	host, path string
	port       int
	restart    string
	routes     []claim
	commands   *ownCommands
	commandsAt given // the keys within commands
	checkAt    given // the keys within healthCheck
	tlsAt      given // the keys within tls
	user       string
	group      string
	fileEnv    []string // of envFile
}

// claim is a route with the places where it was claimed and where its target was said.
type claim struct {
	Route
	at       value
	targetAt value
}

var serviceKeys = []key[draft]{
	{name: "name", doc: "what it is called in status and logs; the key, if that can be a name",
		read: serviceName(func(d *draft) *string { return &d.name })},
	{name: "host", doc: "the host it answers to; *.example.com is every name below",
		read: hostName(func(d *draft) *string { return &d.host })},
	{name: "path", doc: "only paths below it; the longest wins",
		read: pathPrefix(func(d *draft) *string { return &d.path })},
	{name: "port", doc: "a port of its own, beside the host",
		read: port(func(d *draft) *int { return &d.port })},
	{name: "routes", doc: "further ways to reach it, each with a type, a value and a target",
		read: func(w *walk, d *draft, v value) { d.routes = w.routes(v) }},
	{name: "default", dflt: "false", doc: "takes the requests that no other service does",
		read: trueOrFalse(func(d *draft) *bool { return &d.Default })},
	{name: "run", doc: "the command that is the service; a list is executed as it is",
		read: runLine(func(d *draft) **Run { return &d.Run })},
	{name: "commands", doc: "shell commands that start and stop a service run by something else",
		read: func(w *walk, d *draft, v value) { w.commands(d, v) }},
	{name: "proxyOnly", dflt: "false", doc: "only forward requests, never start or stop anything",
		read: trueOrFalse(func(d *draft) *bool { return &d.ProxyOnly })},
	{name: "base", doc: "where it listens; for run, without it, a free port is chosen",
		read: baseURL(func(d *draft) **Base { return &d.Base })},
	{name: "tls", doc: "whom to believe where base, or a target, is https",
		read: func(w *walk, d *draft, v value) { d.tlsAt = fill(w, v, tlsKeys, &d.TLS) }},
	{name: "cwd", dflt: ".", doc: "the directory its commands run in",
		read: directory(func(d *draft) *string { return &d.Cwd })},
	{name: "env", doc: "environment variables for its commands",
		read: environmentOf(func(d *draft) *[]string { return &d.Env })},
	{name: "envFile", doc: "a file of NAME=VALUE lines; what env has too is env's",
		read: envFile},
	{name: "user", doc: "who its commands run as, a name or a uid, with that user's groups and HOME; needs root",
		read: accountName(func(d *draft) *string { return &d.user })},
	{name: "group", doc: "their group, a name or a gid; without it, the user's",
		read: accountName(func(d *draft) *string { return &d.group })},
	{name: "umask", doc: "what the files they make are not to permit, in octal; without it, the engine's",
		read: umask(func(d *draft) **int { return &d.Umask })},
	{name: "limits", doc: "what the process of run may use at most",
		read: func(w *walk, d *draft, v value) { fill(w, v, limitKeys, &d.Limits) }},
	{name: "logs", doc: "how much of its output is kept",
		read: func(w *walk, d *draft, v value) { fill(w, v, logKeys, &d.Logs) }},
	{name: "idleTimeout", dflt: "5m", doc: "stopped when unused for so long; never keeps it up",
		read: durationOrNever(func(d *draft) *time.Duration { return &d.IdleTimeout })},
	{name: "restart", dflt: "onRequest", doc: "always has it up from the start on, and again after an exit; it never sleeps",
		read: oneOf(func(d *draft) *string { return &d.restart }, "onRequest", "always")},
	{name: "minUptime", doc: "not stopped as unused before it has been ready for so long",
		read: duration(func(d *draft) *time.Duration { return &d.MinUptime })},
	{name: "schedule", doc: "windows in which it is up although nobody asks; after one it sleeps when unused",
		read: func(w *walk, d *draft, v value) { w.schedule(d, v) }},
	{name: "dependsOn", doc: "services that are up before it is launched, and for as long as it is",
		read: eachOf("a list of names of services", serviceName(func(s *string) *string { return s }), func(d *draft) *[]string { return &d.DependsOn })},
	{name: "startTimeout", dflt: "30s", doc: "for the service to become ready",
		read: duration(func(d *draft) *time.Duration { return &d.StartTimeout })},
	{name: "stopTimeout", dflt: "10s", doc: "from the stop signal to SIGKILL",
		read: duration(func(d *draft) *time.Duration { return &d.StopTimeout })},
	{name: "stopSignal", dflt: "SIGTERM", doc: "asks the service to end",
		read: signal(func(d *draft) *syscall.Signal { return &d.StopSignal })},
	{name: "drainTimeout", dflt: "5s", doc: "for its requests in flight to end when it is stopped by order",
		read: duration(func(d *draft) *time.Duration { return &d.DrainTimeout })},
	{name: "responseTimeout", dflt: "30s", doc: "for the head of its answer, once it has the request",
		read: duration(func(d *draft) *time.Duration { return &d.ResponseTimeout })},
	{name: "maxPending", dflt: "1024", doc: "requests that may wait for it at one time; further ones get 503",
		read: numberBetween(1, 1_000_000, "how many requests may wait", func(d *draft) *int { return &d.MaxPending })},
	{name: "maxConcurrent", doc: "requests that it has at one time, WebSockets and the like among them; further ones wait",
		read: numberBetween(1, 1_000_000, "how many requests it has at one time", func(d *draft) *int { return &d.MaxConcurrent })},
	{name: "ignore", doc: "requests that neither wake it nor extend its time, and what they get while it is not up",
		read: func(w *walk, d *draft, v value) { w.ignore(d, v) }},
	{name: "keepAwake", doc: "whether what stays open holds it up; if not, it is cut when the service is stopped as unused",
		read: func(w *walk, d *draft, v value) { fill(w, v, keepAwakeKeys, &d.KeepAwake) }},
	{name: "hostHeader", dflt: "client", doc: "the Host it sees: client, target, or one written here",
		read: hostHeader(func(d *draft) *string { return &d.HostHeader })},
	{name: "healthCheck", doc: "when it is ready",
		read: func(w *walk, d *draft, v value) { d.checkAt = fill(w, v, healthKeys, &d.HealthCheck) }},
}

var windowKeys = []key[schedule.Window]{
	{name: "up", need: true, doc: "when it begins: minute, hour, day, month and day of the week, as cron has them",
		read: cronTime(func(w *schedule.Window) *schedule.Expression { return &w.Up })},
	{name: "down", need: true, doc: "when it ends",
		read: cronTime(func(w *schedule.Window) *schedule.Expression { return &w.Down })},
	{name: "timeZone", doc: "of both; without it, the system's",
		read: timeZone(func(w *schedule.Window) **time.Location { return &w.Zone })},
}

var limitKeys = []key[Limits]{
	{name: "memory", doc: "such as 512M or 2G, by a cgroup where one can be made, else RLIMIT_DATA of each process",
		read: byteSize(1<<20, func(l *Limits) *int64 { return &l.Memory })},
	{name: "cpu", doc: "in cores, such as 0.5 or 2, where a cgroup can be made",
		read: cores(func(l *Limits) *int { return &l.CPU })},
	{name: "nofile", doc: "open files of each process",
		read: numberBetween(16, 1<<30, "a number of open files", func(l *Limits) *int { return &l.Files })},
}

var logKeys = []key[Logs]{
	{name: "maxSize", dflt: "10M", doc: "of the file being written; what is beyond is rotated out, without a line lost",
		read: byteSize(1<<20, func(l *Logs) *int64 { return &l.MaxSize })},
	{name: "keep", dflt: "1", doc: "files of what was rotated out, by size and at each start",
		read: numberBetween(1, 100, "a number of files", func(l *Logs) *int { return &l.Keep })},
}

var routeKeys = []key[route]{
	{name: "type", need: true, doc: "host, port or path",
		read: oneOf(func(r *route) *string { return &r.kind }, "host", "port", "path")},
	{name: "value", need: true, doc: "the host, the port or the path prefix",
		read: func(_ *walk, r *route, v value) { r.value = v }},
	{name: "target", doc: "where these requests go; without it, to base",
		read: baseURL(func(r *route) **Base { return &r.target })},
}

// ownCommands is what stands within commands.
type ownCommands struct {
	Commands
	cwd string
	env []string
}

var commandKeys = []key[ownCommands]{
	{name: "start", need: true, doc: "the shell command that starts it; may return or stay",
		read: line(func(c *ownCommands) *string { return &c.Start })},
	{name: "stop", need: true, doc: "the shell command that stops it",
		read: line(func(c *ownCommands) *string { return &c.Stop })},
	{name: "check", doc: "a shell command; exit status 0 says that it runs",
		read: line(func(c *ownCommands) *string { return &c.Check })},
	{name: "cwd", dflt: ".", doc: "the directory the three run in",
		read: directory(func(c *ownCommands) *string { return &c.cwd })},
	{name: "env", doc: "environment variables for the three",
		read: environmentOf(func(c *ownCommands) *[]string { return &c.env })},
}

var tlsKeys = []key[TLS]{
	{name: "caFile", doc: "the authorities that may sign its certificate, in PEM; without it, the system's",
		read: authorities},
	{name: "serverName", doc: "the name in its certificate; without it, the host of base",
		read: serverName(func(t *TLS) *string { return &t.ServerName })},
	{name: "insecureSkipVerify", dflt: "false", doc: "believe anybody who answers there",
		read: trueOrFalse(func(t *TLS) *bool { return &t.InsecureSkipVerify })},
}

var ignoreKeys = []key[Ignore]{
	{name: "userAgents", doc: "parts of the User-Agent of monitors and bots, in any case",
		read: eachOf("a list of parts of a User-Agent", agentPart(func(s *string) *string { return s }), func(i *Ignore) *[]string { return &i.UserAgents })},
	{name: "paths", doc: "these paths and what is below them",
		read: eachOf("a list of paths", pathBelowRoot, func(i *Ignore) *[]string { return &i.Paths })},
	{name: "status", doc: "of the answer; without it, 200 for the paths and 503 for the others",
		read: statusWithBody(func(i *Ignore) *int { return &i.Status })},
	{name: "body", dflt: "dormant", doc: "of the answer, one line",
		read: answerLine(func(i *Ignore) *string { return &i.Body })},
}

var keepAwakeKeys = []key[KeepAwake]{
	{name: "websocket", dflt: "true", doc: "WebSockets and other upgraded connections",
		read: trueOrFalse(func(k *KeepAwake) *bool { return &k.WebSocket })},
	{name: "sse", dflt: "true", doc: "streams of events, of type text/event-stream",
		read: trueOrFalse(func(k *KeepAwake) *bool { return &k.SSE })},
}

var healthKeys = []key[HealthCheck]{
	{name: "type", dflt: "tcp", doc: "tcp, http, grpc, redis, log, notify, command or none",
		read: oneOf(func(h *HealthCheck) *string { return &h.Type }, "tcp", "http", "grpc", "redis", "log", "notify", "command", "none")},
	{name: "port", doc: "of tcp, grpc and redis: the port to connect to; without it, base's",
		read: port(func(h *HealthCheck) *int { return &h.Port })},
	{name: "url", dflt: "/", doc: "of http: what to ask for; a bare path is asked of the service",
		read: healthURL(func(h *HealthCheck) *string { return &h.URL })},
	{name: "method", dflt: "GET", doc: "of http: how to ask",
		read: oneOf(func(h *HealthCheck) *string { return &h.Method }, "GET", "HEAD", "OPTIONS", "POST")},
	{name: "headers", doc: "of http: the header fields to ask with",
		read: headerFields},
	{name: "expectedStatus", dflt: "200", doc: "of http: the status that is healthy, or a range such as 200-399",
		read: statusRange},
	{name: "service", doc: "of grpc: the name whose health is asked for; without it, that of the whole server",
		read: oneLine("the name of a gRPC service", func(h *HealthCheck) *string { return &h.Service })},
	{name: "password", doc: "of redis: what AUTH is sent with before PING",
		read: oneLine("a password", func(h *HealthCheck) *string { return &h.Password })},
	{name: "pattern", doc: "of log: what a line of its output matches once it is ready (RE2)",
		read: pattern(func(h *HealthCheck) *string { return &h.Pattern })},
	{name: "command", doc: "of command: exit status 0 is healthy",
		read: line(func(h *HealthCheck) *string { return &h.Command })},
	{name: "timeout", dflt: "5s", doc: "for one try",
		read: duration(func(h *HealthCheck) *time.Duration { return &h.Timeout })},
}
