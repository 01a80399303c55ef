package netio

import (
	"context"
	"errors"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a loop knows of TLS: while a bridge is made, the request for it waits in stateBridge, whole as it came, with
// reading paused. Then the loop's end of the bridge becomes an upstream.

// build has a bridge made for the request.
func (c *client) build(p *pool) {
	s, b := c.s, c.x.backend
	p.forget()
	if s.server.sockets.Load()+bridgeFiles > s.server.limits.all {
		c.unreachable(unix.EMFILE)
		return
	}
	s.server.sockets.Add(bridgeFiles)
	ctx, cancel := context.WithTimeout(s.server.life, s.server.options.Timeouts.Connect)
	bridge := &bridge{loop: s, client: c, backend: b, cancel: cancel, over: make(chan struct{})}
	c.x.bridge = bridge
	c.state = stateBridge
	s.wheel.set(&c.timer, 0) // the bridge has the deadline
	s.server.beside.Go(func() { bridge.run(ctx) })
}

// bridged goes on with a request whose bridge stands, or could not be made.
func (c *client) bridged(b *bridge) {
	if c.state != stateBridge || c.x.bridge != b { // it has left, or was answered
		if b.err == nil {
			b.discard()
		}
		return
	}
	c.x.bridge, c.state = nil, stateRelay
	if b.err != nil {
		c.notBridged(b.err)
	} else {
		c.cross(b)
	}
	c.run()
}

// cross sends the request over the bridge.
func (c *client) cross(b *bridge) {
	u := &upstream{s: c.s, pool: c.s.poolOf(b.backend), client: c, bridge: b, connected: true}
	if errno := c.s.enlist(u, b.fd); errno != 0 {
		b.discard()
		u.pool.forget()
		c.unreachable(errno)
		return
	}
	b.backend.trouble.Store(nil)
	c.sendOn(u)
}

// notBridged answers the request, or has it tried again later.
func (c *client) notBridged(err *bridgeError) {
	b, tally := c.x.backend, &c.s.tally
	switch {
	case err.timeout:
		tally.connectTimeout.Add(1)
		c.answer(timeoutAnswer)
	case err.final:
		tally.connect.Add(1)
		c.answer(brokenAnswer)
	default:
		var errno syscall.Errno
		errors.As(err, &errno)
		c.unreachable(errno)
	}
	if c.state != statePause {
		c.s.server.tell(b, err)
	}
}

// tell logs why a backend cannot be reached: once, until it can be again or the reason is another. Not on the loop,
// which must not wait for whoever reads the log.
func (s *Server) tell(b *Backend, err error) {
	reason := err.Error()
	if old := b.trouble.Swap(&reason); old == nil || *old != reason {
		s.beside.Go(func() {
			s.options.Log.Warn("cannot reach a backend", slog.String("address", b.Address),
				slog.String("serverName", b.TLS.ServerName), slog.String("error", reason))
		})
	}
}

// leaveBridge gives up a bridge that is being made.
func (c *client) leaveBridge() {
	c.x.bridge.cancel()
	c.x.bridge = nil
}

// cutBridges answers the requests for which a bridge to b is being made, since the run of b has ended.
func (s *splicer) cutBridges(b *Backend) {
	for c := s.clients; c != nil; {
		next := c.next
		if c.state == stateBridge && c.x.backend == b {
			s.current = c
			c.leaveBridge()
			c.state = stateRelay
			c.answer(brokenAnswer)
			c.run()
		}
		c = next
	}
}
