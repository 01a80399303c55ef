package config

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"dynapm/engine/config/schedule"
)

// Config is a whole config after every check: each field has its value or its default, every path is absolute,
// and nothing in it contradicts anything else. Nobody changes it after Load.
type Config struct {
	File           string         // absolute
	Listen         string         // "host:port" as net.Listen takes it; an empty host is every address
	StateDir       string         // absolute; need not exist yet
	AdminAPI       AdminAPI       //
	Logging        Logging        //
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-* are kept; empty: nobody's

	HeadTimeout, KeepAliveTimeout, ConnectTimeout, WriteTimeout time.Duration // all above zero
	DrainTimeout                                                time.Duration // of the engine when it leaves
	MaxConcurrentStarts                                         int           // 0: twice the cores

	ColdStartHeader bool // a reply that waited for a start has a Server-Timing field

	Services []Service // in the order of the file
	Notes    []Note    // in the order of the file
}

// Names are those of the services, in the order of the file.
func (c *Config) Names() []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

// AdminAPI says where the admin API answers, and whom.
type AdminAPI struct {
	Enabled    bool
	Listen     string         // "host:port"
	AuthToken  string         // "" demands none; never "" off loopback. From authToken or authTokenFile
	AllowedIPs []netip.Prefix // empty: whoever can reach it
}

// Logging says what is logged beyond the events of services.
type Logging struct {
	EnableRequestLog bool
}

// Service is one service. Exactly one of Run, Commands and ProxyOnly says how it comes to run.
type Service struct {
	Name    string // unique, safe as a file name (see nameRule)
	Key     string // its key under services
	Routes  []Route
	Default bool // takes what no other service on the main listener does

	Base      *Base // nil only for a Run service without base, whose port the engine chooses
	Run       *Run
	Commands  *Commands
	ProxyOnly bool
	Cwd       string   // absolute and there when the config was read
	Env       []string // KEY=value of the config and its envFile only, sorted by key
	Account   *Account // nil: the engine's own
	Umask     *int     // nil: the engine's own
	Limits    Limits   // of a Run service alone
	Logs      Logs

	Always                                  bool           // up although nobody asks; then IdleTimeout is 0
	IdleTimeout                             time.Duration  // 0: never
	MinUptime                               time.Duration  // 0: none
	Schedule                                schedule.Times // empty: none
	DependsOn                               []string       // names of services that are not ProxyOnly; no cycles
	StartTimeout, StopTimeout, DrainTimeout time.Duration
	ResponseTimeout                         time.Duration
	StopSignal                              syscall.Signal
	MaxPending                              int // requests that may wait for it at one time
	MaxConcurrent                           int // that it has at one time; 0: any number
	HealthCheck                             HealthCheck
	Ignore                                  Ignore
	KeepAwake                               KeepAwake
	HostHeader                              string // "client", "target", or the literal host to send
	TLS                                     TLS    // of https
}

// RouteKind says what a route looks at.
type RouteKind int

const (
	HostRoute RouteKind = iota // Host and, where Path is not empty, that prefix of the path as well
	PathRoute                  // Path, on the main listener, whatever the host
	PortRoute                  // Port: a listener of its own, whatever host and path
)

// Route is one way to reach a service. No two services have the same one.
type Route struct {
	Kind   RouteKind
	Host   string // lower case, no port; "*.example.com" is every name below example.com; IPv6 without brackets
	Path   string // begins with "/" and, but for "/" itself, does not end with it
	Port   int
	Target *Base // nil: the service's own Base
}

// TLS says whom a service believes when it is spoken to by https: whoever shows a certificate for the host of the base
// that the system's authorities have signed, where nothing else is said.
type TLS struct {
	CAs                *x509.CertPool // nil: the system's
	ServerName         string         // "": the host of the base
	InsecureSkipVerify bool           // anybody
}

// Base is where a backend listens: http://host:port, https://host:port or unix:/path.
type Base struct {
	Scheme string // "http" or "https"
	Host   string // name or address, IPv6 without brackets; "" for a unix socket
	Port   int    // 0 for a unix socket
	Unix   string // absolute path of the socket, or ""
	Raw    string // as it was written
}

// Run is a command that is executed and owned as a process.
type Run struct {
	Argv []string // at least one; {"/bin/sh", "-c", line} where the config has something of the shell
}

// Commands are shell lines that start and stop a service which something else owns.
type Commands struct {
	Start, Stop string
	Check       string // exit status 0: it runs; "" if there is none
}

// KeepAwake says which long replies hold the service up for as long as they last.
type KeepAwake struct{ WebSocket, SSE bool }

// Ignore says which requests neither wake the service nor extend its time. Empty lists: all do.
type Ignore struct {
	UserAgents []string // parts of the User-Agent, in lower case
	Paths      []string // as Route.Path, but never "/"
	Status     int      // of our answer while the service is not up; 0: 200 for Paths, 503 for UserAgents
	Body       string   // of that answer
}

// HealthCheck says when a started service is ready.
type HealthCheck struct {
	Type                 string      // "tcp", "http", "grpc", "redis", "log", "notify", "command" or "none"
	Port                 int         // of tcp, grpc and redis; 0: the port of Base
	URL                  string      // of http; begins with "/" where the address is the service's own and not known here
	Method               string      // of http
	Headers              http.Header // of http; nil: none
	StatusMin, StatusMax int         // of http, inclusive
	Service              string      // of grpc; "": the whole server
	Password             string      // of redis; "": none
	Pattern              string      // of log: an RE2 that compiles
	Command              string      // of command: a shell line, exit status 0 is healthy
	Timeout              time.Duration
}
