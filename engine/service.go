package engine

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
	"dynapm/actors/probe"
	"dynapm/engine/config"
	"dynapm/netio"
)

// service is one configured service.
type service struct {
	config.Service
	address string          // where it listens, "host:port" or "unix:/path"; "" for one that is only proxied
	port    int             // that it was given; 0: it has a base
	actor   *actors.Service // nil for one that is only proxied
	gate    *actors.Gate    // of one that is only proxied: open for ever
	since   time.Time       // of one that is only proxied: when the engine came up
	woke    atomic.Uint64   // the last run whose wake was told
	ways    []*route        // that lead to it
	diary   diary           // of its changes of state

	keptUp     string        // by its schedule, when it was given its actor
	dependants []*service    // that depend on it
	done       chan struct{} // closed when it has been taken down, as far as that was possible
}

// route is one way to a service; it is netio's Route.
type route struct {
	*service
	engine *Engine
	target *target // nil: where the service listens
	last   atomic.Pointer[bound]

	unheard *unheards // nil: every request wakes the service
}

// bound is the backend of one run as one route sees it.
type bound struct {
	gate    *actors.Gate
	at      *string // of the target when it was made
	backend *netio.Backend
}

// Acquire takes a lease on the present run and finds its backend.
func (r *route) Acquire(granted *netio.Waiter) (netio.Lease, *netio.Backend) {
	at, known := r.reached()
	if !known {
		return nil, nil
	}
	gate := r.gate
	switch {
	case r.actor == nil:
		if !gate.Acquire() {
			gate = nil
		}
	case granted != nil:
		gate = r.actor.Claim(waiter{granted})
	default:
		gate = r.actor.Acquire()
	}
	if gate == nil {
		return nil, nil
	}
	return holding{gate}, r.backendOf(gate, at)
}

// reached is where the route's target is now, nil without one. It is false while nobody knows.
func (r *route) reached() (at *string, known bool) {
	if r.target == nil {
		return nil, true
	}
	at = r.target.at.Load()
	return at, at != nil
}

// backendOf finds the backend of a run on which a lease is out.
func (r *route) backendOf(gate *actors.Gate, at *string) *netio.Backend {
	b := r.last.Load()
	if b == nil || b.gate != gate || b.at != at {
		b = r.bind(gate, at)
	}
	return b.backend
}

// bind makes the backend of a run that this route meets for the first time, or of a target that has moved.
func (r *route) bind(gate *actors.Gate, at *string) *bound {
	address := gate.Address()
	if at != nil {
		address = *at
	}
	backend, err := netio.NewBackend(address, r.hostFor(), r.ResponseTimeout)
	if err != nil {
		panic(err) // the config was checked, and names were resolved: whoever comes here has broken that
	}
	backend.RelaxTunnels, backend.RelaxEvents = !r.KeepAwake.WebSocket, !r.KeepAwake.SSE
	if r.actor != nil {
		backend.RetryUntil = gate.Since().Add(r.StartTimeout)
	}
	if base := r.base(); base != nil && base.Scheme == "https" {
		backend.TLS = r.trust(base.Host)
	}
	b := &bound{gate, at, backend}
	r.engine.traffic.opened(gate, backend)
	// Of two splicers that meet a run at once, or for a target that has moved, the later backend is the one.
	if old := r.last.Swap(b); old != nil && old.gate == gate {
		r.engine.traffic.replaced(gate, old.backend)
	}
	return b
}

// base is what the config says of where this way leads; nil: nothing.
func (r *route) base() *config.Base {
	if r.target != nil {
		return r.target.base
	}
	return r.Base
}

// hostFor is the Host that the backend sees; "" leaves the client's.
func (r *route) hostFor() string {
	switch r.HostHeader {
	case "client":
		return ""
	case "target":
		return r.hostOf(r.base())
	}
	return r.HostHeader
}

// hostOf is the Host of a target; the port of https need not be said (RFC 9110 section 4.2.2).
func (r *route) hostOf(base *config.Base) string {
	switch {
	case base == nil:
		return r.address
	case base.Unix != "":
		return "localhost"
	case base.Scheme == "https" && base.Port == 443:
		return strings.TrimSuffix(addressOf(base), ":443")
	}
	return addressOf(base)
}

// trust says whom the service believes that shows a certificate. Without a host, the url that is asked has it.
func (s *service) trust(host string) *tls.Config {
	return &tls.Config{
		RootCAs:            s.TLS.CAs,
		ServerName:         cmp.Or(s.TLS.ServerName, host),
		InsecureSkipVerify: s.TLS.InsecureSkipVerify,
	}
}

// trouble says why requests on one of the ways to the service cannot get there; "" if they can, as far as known.
func (s *service) trouble() string {
	for _, r := range s.ways {
		if r.target != nil {
			if reason := r.target.trouble(); reason != "" {
				return reason
			}
		}
		if b := r.last.Load(); b != nil {
			if reason := b.backend.Trouble(); reason != "" {
				return fmt.Sprintf("cannot reach %s: %s", b.backend.Address, reason)
			}
		}
	}
	return ""
}

// addressOf gives "host:port" or "unix:/path".
func addressOf(b *config.Base) string {
	if b.Unix != "" {
		return "unix:" + b.Unix
	}
	return net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
}

// spec says to its actor what the config says of a service, what its processes inherit of the engine's own environment,
// which process of it was found, and what was known of it last.
func (s *service) spec(own []string, found *keeper.Process, last *actors.Last) actors.Spec {
	spec := actors.Spec{
		Name:          s.Name,
		Address:       s.address,
		Check:         s.check(),
		Always:        s.Always,
		IdleTimeout:   s.IdleTimeout,
		MinUptime:     s.MinUptime,
		StartTimeout:  s.StartTimeout,
		StopTimeout:   s.StopTimeout,
		DrainTimeout:  s.DrainTimeout,
		MaxPending:    s.MaxPending,
		MaxConcurrent: s.MaxConcurrent,
		DependsOn:     s.DependsOn,
		Found:         found,
		Last:          last,
		Umask:         s.Umask,
		Logs:          s.logs(),
	}
	if a := s.Account; a != nil {
		spec.As = &keeper.Account{UID: a.UID, GID: a.GID, Groups: a.Groups}
	}
	if s.Run != nil {
		spec.Managed = &actors.Managed{Argv: s.Run.Argv, Dir: s.Cwd, Env: s.environ(own), StopSignal: s.StopSignal,
			Limits: keeper.Limits{Memory: uint64(s.Limits.Memory), CPU: s.Limits.CPU, Files: uint64(s.Limits.Files)}}
	} else {
		spec.Delegated = &actors.Delegated{Start: s.Commands.Start, Stop: s.Commands.Stop, Check: s.Commands.Check,
			Dir: s.Cwd, Env: s.environ(own)}
	}
	return spec
}

// logs bounds what its processes print.
func (s *service) logs() keeper.Logs {
	return keeper.Logs{MaxSize: s.Logs.MaxSize, Keep: s.Logs.Keep}
}

// environ is what every service inherits: the engine's environment, and which program DYNAPM is.
func environ() []string {
	env := os.Environ()
	if executable, err := os.Executable(); err == nil {
		env = append(env, "DYNAPM="+executable)
	}
	return env
}

// environ is the engine's own, then whose it is, then where the service is to listen, then what the config adds.
func (s *service) environ(own []string) []string {
	env := slices.Clip(own)
	if a := s.Account; a != nil && a.User != "" {
		env = append(env, "HOME="+a.Home, "USER="+a.User, "LOGNAME="+a.User)
	}
	if host, port, err := net.SplitHostPort(s.address); err == nil {
		env = append(env, "HOST="+host, "PORT="+port)
	}
	return append(env, s.Env...)
}

// kind is the word for how it is run.
func (s *service) kind() string {
	if s.Run != nil {
		return managed
	}
	return delegated
}

const managed, delegated = "managed", "delegated"

func (s *service) check() probe.Check {
	h := s.HealthCheck
	c := probe.Check{Timeout: h.Timeout, Command: h.Command}
	switch h.Type {
	case "http":
		c.Kind, c.URL, c.Method = probe.HTTP, h.URL, h.Method
		c.StatusMin, c.StatusMax = h.StatusMin, h.StatusMax
		c.TLS = s.trust("")
		c.Host, c.Header = h.Headers.Get("Host"), h.Headers
	case "grpc":
		c.Kind, c.Port, c.Service = probe.GRPC, h.Port, h.Service
	case "redis":
		c.Kind, c.Port, c.Password = probe.Redis, h.Port, h.Password
	case "log":
		c.Kind, c.Pattern = probe.Log, regexp.MustCompile(h.Pattern) // the config was checked
	case "notify":
		c.Kind = probe.Notify
	case "command":
		c.Kind = probe.Command
	case "none":
		c.Kind = probe.None
	default:
		c.Kind, c.Port = probe.TCP, h.Port
	}
	return c
}

// baseURL is the base as DynaPM shows it.
func (s *service) baseURL() string {
	if s.Base != nil {
		return s.Base.Raw
	}
	return "http://" + s.address
}
