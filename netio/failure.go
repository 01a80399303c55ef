package netio

import (
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// sinkBroke handles a backend that takes no more of the request. It may have answered before: that is read first.
func (c *client) sinkBroke() bool {
	x := c.x
	if !x.up.connected {
		if !c.comingUp(true) {
			x.route.Unreachable(x.backend)
		}
		return c.backendLost(&c.s.tally.connect)
	}
	x.deaf, x.expect = true, false
	x.request.drop(c.s)
	x.up.readable = true // it will tell the reason
	return false
}

// clientBroke handles a failed write to the client; EAGAIN is no failure.
func (c *client) clientBroke(errno syscall.Errno) bool {
	if errno == unix.EAGAIN {
		return false
	}
	c.leave()
	return true
}

// backendLost ends an exchange whose backend failed, and counts it. Before the head of the reply the client gets 502,
// or the request is sent again where RFC 9110 section 9.2.2 allows it and only a pooled connection had died; after it
// the client sees the connection break.
func (c *client) backendLost(kind *atomic.Int64) bool {
	x, s := c.x, c.s
	again := x.up.reused && !x.begun && x.idempotent && x.headLen > 0 && !x.backend.cut.Load()
	later := c.comingUp(!x.up.connected)
	x.up.free(false)
	x.up = nil
	x.request.drop(s)
	switch {
	case again:
		s.tally.retries.Add(1)
		c.sendAgain()
		return true
	case later:
		c.pause()
		return true
	}
	kind.Add(1)
	if x.headSent {
		c.abort()
		return true
	}
	c.answer(brokenAnswer)
	return true
}

// unreachable answers a request for whose backend no connection could be opened.
func (c *client) unreachable(errno syscall.Errno) {
	c.s.tally.connect.Add(1)
	switch {
	case outOfFiles(errno):
		c.answer(overloadedAnswer)
	case c.comingUp(true):
		c.pause()
	default:
		if errno == unix.ECONNREFUSED || errno == unix.ENOENT { // else it is for a reason of ours
			c.x.route.Unreachable(c.x.backend)
		}
		c.answer(brokenAnswer)
	}
}

// relayDeadline is when patience ends with whoever's turn it is; 0 for never, as in a reply that the backend takes its
// time for.
func (c *client) relayDeadline() int64 {
	x, t := c.x, &c.s.server.options.Timeouts
	switch {
	case x.reply.holds():
		return x.reply.moved + int64(t.Write)
	case x.headSent:
		return 0
	case !x.up.connected:
		return x.dialled + int64(t.Connect)
	case x.asked != 0:
		return x.asked + int64(x.backend.ResponseTimeout)
	case x.expect:
		return x.request.moved + int64(x.backend.ResponseTimeout)
	}
	return x.request.moved + int64(t.Write)
}

// relayExpired handles that deadline.
func (c *client) relayExpired() {
	x, tally := c.x, &c.s.tally
	switch {
	case x.reply.holds():
		tally.stalled.Add(1)
		c.abort()
	case !x.up.connected:
		tally.connectTimeout.Add(1)
		c.answer(timeoutAnswer)
	case x.asked != 0 || x.expect || x.deaf:
		tally.responseTimeout.Add(1)
		c.answer(timeoutAnswer)
	case x.request.holds():
		tally.stalled.Add(1)
		c.answer(timeoutAnswer)
	default:
		tally.stalled.Add(1)
		c.answer(slowRequestAnswer)
	}
}
