package engine

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"dynapm/actors/probe"
	"dynapm/engine/config"
)

// target is where a route leads when that is not simply where its service listens. A splicer must not wait for a name
// to be resolved, so names are resolved beside it, again and again.
type target struct {
	base *config.Base
	at   atomic.Pointer[string] // "ip:port" or "unix:/path"; nil: not resolved yet
	ip   netip.Addr             // the watcher's: what the name stood for last
}

// resolveEvery is how long a name that changed its address may lead to the old one.
const resolveEvery = 5 * time.Second

func newTarget(base *config.Base) *target {
	t := &target{base: base}
	if _, err := netip.ParseAddr(base.Host); err == nil || base.Unix != "" {
		t.point(addressOf(base))
	}
	return t
}

func (t *target) point(address string) { t.at.Store(&address) }

// named tells whether the target needs a watcher.
func (t *target) named() bool {
	_, err := netip.ParseAddr(t.base.Host)
	return err != nil && t.base.Unix == ""
}

// watch resolves the names of targets until ctx ends. A failure is told once, until the name resolves again.
func watch(ctx context.Context, targets []*target, log *slog.Logger) {
	failing := map[*target]bool{}
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		for _, t := range targets {
			err := t.resolve(ctx)
			if err != nil && !failing[t] && ctx.Err() == nil {
				log.Warn("cannot resolve a target", "host", t.base.Host, "error", err)
			}
			failing[t] = err != nil
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *target) resolve(ctx context.Context) error {
	var ips []netip.Addr
	if t.base.Host == "localhost" {
		ips = loopback(t.base.Port)
	} else {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.base.Host)
		if err != nil {
			return err
		}
		ips = found
	}
	// An address that is still good is kept: resolvers rotate their answers.
	if t.at.Load() != nil && slices.Contains(ips, t.ip) {
		return nil
	}
	t.ip = ips[0]
	t.point(net.JoinHostPort(t.ip.Unmap().String(), strconv.Itoa(t.base.Port)))
	return nil
}

// loopback is where on this machine something listens on the port, 127.0.0.1 where nothing does.
func loopback(port int) []netip.Addr {
	v6 := netip.IPv6Loopback()
	if probe.Listening(net.JoinHostPort(v6.String(), strconv.Itoa(port))) &&
		!probe.Listening(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) {
		return []netip.Addr{v6}
	}
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
}
