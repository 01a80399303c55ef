package netio

import (
	"time"

	"golang.org/x/sys/unix"
)

// maxInterims bounds the 1xx responses before one reply.
const maxInterims = 64

// relay carries the request on to the backend and the reply to the client, as far as both take and give.
func (c *client) relay() bool {
	if c.finished {
		c.leave() // before the end of the reply a FIN means that nobody waits for it
		return false
	}
	if c.pushRequest() || c.pullReply() {
		return c.state != stateClosed
	}
	c.s.wheel.set(&c.timer, c.relayDeadline())
	return false
}

// pushRequest moves the request on. It returns true if that has led to another state.
func (c *client) pushRequest() bool {
	x, s := c.x, c.s
	if x.asked != 0 || x.deaf {
		return false
	}
	if !x.up.connected && !x.up.writable {
		return false
	}
	waits, before := x.expect && !x.request.holds(), x.request.total
	v := s.move(&x.request, &c.conn, &x.up.conn)
	if x.request.total > 0 {
		c.connected()
	}
	if x.request.excess != nil {
		c.in, x.request.excess = x.request.excess, nil
	}
	if waits && x.request.total > before {
		x.expect = false // it sends the body without having been told to
	}
	switch v {
	case moveDone:
		x.asked = s.now
	case moveAgain:
		s.again(c)
	case moveSourceEnd, moveSourceBroke:
		c.leave()
		return true
	case moveSinkBroke:
		return c.sinkBroke()
	case moveMalformed:
		c.refuseBody(errMalformedBody)
		return true
	}
	return false
}

// pullReply moves the reply on. It returns true if that has led to another state.
func (c *client) pullReply() bool {
	x, s := c.x, c.s
	if !x.up.connected {
		return false
	}
	for !x.headSent {
		if x.reply.held != nil {
			if errno := s.flush(&x.reply, &c.conn); errno != 0 {
				return c.clientBroke(errno)
			}
		}
		if !x.up.readable {
			return false
		}
		if changed, blocked := c.readReplyHead(); changed || blocked {
			return changed
		}
	}
	v := s.move(&x.reply, &x.up.conn, &c.conn)
	if x.reply.excess != nil {
		s.buffers.put(x.reply.excess)
		x.reply.excess, x.up.keep = nil, false
	}
	switch v {
	case moveDone:
		return c.endReply()
	case moveAgain:
		s.again(c)
	case moveSourceEnd:
		if x.reply.body.kind == untilClose && !x.up.torn() {
			x.reply.ended, x.up.keep = true, false
			return c.endReply()
		}
		return c.backendLost(&s.tally.backend)
	case moveSourceBroke, moveMalformed:
		return c.backendLost(&s.tally.backend)
	case moveSinkBroke:
		c.leave()
		return true
	}
	return false
}

// readReplyHead reads once, and sends on what that completes: interim responses, the final head and the part of the
// body that came with it.
func (c *client) readReplyHead() (changed, blocked bool) {
	x, s := c.x, c.s
	u := x.up
	b := u.in
	if b == nil {
		b = s.buffers.get()
	}
	n, errno := u.read(b.data[b.w:])
	if errno != 0 {
		if b.r == b.w {
			s.buffers.put(b)
			u.in = nil
		}
		if errno == unix.EAGAIN {
			return false, true
		}
		return c.backendLost(&s.tally.backend), false
	}
	u.in = b
	b.w += n
	if !x.begun {
		c.replyBegins()
	}
	out, err := c.passHeads(b, s.scratch[:0])
	s.scratch = out[:0]
	if err != nil {
		return c.backendLost(&s.tally.backend), false
	}
	if len(out) > 0 {
		if errno := s.send(&x.reply, &c.conn, out); errno != 0 {
			c.leave()
			return true, false
		}
	}
	if x.headSent || b.r == b.w {
		s.buffers.put(b)
		u.in = nil
	} else if b.r > 0 {
		b.w = copy(b.data, b.data[b.r:b.w])
		b.r = 0
	}
	return false, false
}

// replyBegins is called at the first byte of a reply: from here on the request cannot be sent again.
func (c *client) replyBegins() {
	x := c.x
	x.begun = true
	if !x.backend.answered.Load() { // to store it each time would move its cache line between the loops
		x.backend.answered.Store(true)
	}
	if x.request.ended {
		c.consume()
	}
	if w := x.waiter; w != nil {
		x.waiter = nil
		x.added = x.route.Served(x.lease, Timing{Accepted: w.accepted, Granted: w.granted, Connected: x.connected, FirstByte: time.Now()})
	}
}

// passHeads appends to out what the client is to get of b: each whole head, and after the final one what there is of
// its body.
func (c *client) passHeads(b *buffer, out []byte) ([]byte, error) {
	x, r := c.x, &c.s.response
	for {
		n, err := parseResponse(bytesOf(b), x.isHead, r)
		if n == 0 {
			return out, err
		}
		b.r += n
		if !r.interim {
			break
		}
		if x.interims++; x.interims > maxInterims {
			return out, errInterims
		}
		if x.expect && r.status == 100 {
			x.expect, x.request.moved = false, c.s.now // the client's time for its body begins
		}
		if x.minor > 0 { // RFC 9110 section 15.2
			out = r.appendTo(out, &clientView{minor: x.minor})
		}
	}
	if r.upgrade && (!x.upgrade || x.asked == 0) {
		return out, errUnasked
	}
	return c.passFinal(b, out)
}

// passFinal appends the final head, with what the client must know of its connection, and the beginning of the body.
func (c *client) passFinal(b *buffer, out []byte) ([]byte, error) {
	x, s, r := c.x, c.s, &c.s.response
	x.headSent, x.status = true, r.status
	if x.backend.relaxes(r) {
		x.lease = x.lease.Relax()
	}
	x.expect = false
	x.up.keep, x.up.suspect, x.up.tempting = r.keepAlive, r.bodiless, r.tempting
	x.reply.ended = x.reply.body.start(r.body)
	x.reply.dechunk = x.minor == 0 && r.body.kind == chunkedBody
	// A reply before the end of its request: who knows when the rest of that comes. The connection ends with the reply.
	x.keepAlive = x.keepAlive && !s.closing() && x.asked != 0 && r.body.kind != untilClose && !x.reply.dechunk
	out = r.appendTo(out, &clientView{minor: x.minor, keepAlive: x.keepAlive, dechunk: x.reply.dechunk, added: x.added})
	rest := bytesOf(b)
	if r.upgrade {
		b.r = b.w
		return append(out, rest...), nil
	}
	if x.reply.ended {
		x.up.keep = x.up.keep && len(rest) == 0
		return out, nil
	}
	data, n, ended := 0, 0, false
	var err error
	if x.reply.dechunk {
		data, n, ended, err = x.reply.body.takeData(rest)
	} else {
		n, ended, err = x.reply.body.take(rest)
		data = n
	}
	x.reply.ended = ended
	x.up.keep = x.up.keep && n == len(rest)
	return append(out, rest[:data]...), err
}

// endReply ends the exchange after the last byte of the reply.
func (c *client) endReply() bool {
	x := c.x
	if x.status == 101 {
		c.openTunnel()
		return true
	}
	c.consume()
	c.endRequest(x.up.keep && x.asked != 0)
	if x.keepAlive {
		return c.nextRequest()
	}
	c.finish()
	return true
}
