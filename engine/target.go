package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dynapm/actors/probe"
	"dynapm/engine/config"
)

// target is where a route leads when that is not simply where its service listens. A splicer must not wait for a name
// to be resolved, so names are resolved beside it, again and again.
type target struct {
	base  *config.Base
	at    atomic.Pointer[string] // "ip:port" or "unix:/path"; nil: not resolved yet
	why   atomic.Pointer[string] // the reason of that
	tried chan struct{}          // closed when resolving it was tried once
	ip    netip.Addr             // the watcher's: what the name stood for last
}

// isLocalhost knows localhost and what is below it (RFC 6761 section 6.3). It may be either loopback address: what
// listens decides.
func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// resolveEvery is how long a name that changed its address may lead to the old one.
const resolveEvery = 5 * time.Second

func newTarget(base *config.Base) *target {
	t := &target{base: base, tried: make(chan struct{})}
	if t.fixed() {
		t.point(addressOf(base))
	} else if isLocalhost(base.Host) {
		t.settle(loopback(base.Port)) // at once: it asks nobody
	}
	return t
}

func (t *target) point(address string) { t.at.Store(&address) }

// trouble says why nobody knows where the target is; "" if that is known, or not looked for yet.
func (t *target) trouble() string {
	if why := t.why.Load(); why != nil && t.at.Load() == nil {
		return *why
	}
	return ""
}

// fixed tells whether the target has no name that must be watched.
func (t *target) fixed() bool {
	_, err := netip.ParseAddr(t.base.Host)
	return err == nil || t.base.Unix != ""
}

// watch resolves the name of a target until ctx ends. A failure is told once, until the name resolves again.
func (t *target) watch(ctx context.Context, log *slog.Logger) {
	failing := false
	first := sync.OnceFunc(func() { close(t.tried) })
	defer first()
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		err := t.resolve(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn("cannot resolve the name of a target", "host", t.base.Host, "error", err)
			why := fmt.Sprintf("cannot resolve %s: %v", t.base.Host, err)
			t.why.Store(&why)
		}
		failing = err != nil
		first()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *target) resolve(ctx context.Context) error {
	if isLocalhost(t.base.Host) {
		t.settle(loopback(t.base.Port))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveEvery)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.base.Host)
	if err != nil {
		return err
	}
	t.settle(ips)
	return nil
}

// settle takes one of the addresses that the name stands for.
func (t *target) settle(ips []netip.Addr) {
	// An address that is still good is kept: resolvers rotate their answers.
	if t.at.Load() != nil && slices.Contains(ips, t.ip) {
		return
	}
	t.ip = ips[0]
	t.point(net.JoinHostPort(t.ip.Unmap().String(), strconv.Itoa(t.base.Port)))
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
