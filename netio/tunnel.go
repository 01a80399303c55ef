package netio

// openTunnel turns an exchange whose 101 has been sent into a tunnel. Its lease lasts until both ends have closed. What
// the client has sent early goes first.
func (c *client) openTunnel() {
	x := c.x
	c.consume()
	held := c.in
	c.in, c.scanned = nil, 0
	x.request = flow{body: body{kind: untilClose}, held: held}
	x.reply.body, x.reply.ended = body{kind: untilClose}, false
	c.state = stateTunnel
	c.s.tally.tunnels.Add(1)
	c.s.wheel.set(&c.timer, 0)
}

// tunnel moves what there is in both directions. Each ends on its own: one side's FIN is passed on, and the other may
// still speak.
func (c *client) tunnel() bool {
	x := c.x
	if !c.pour(&x.request, &c.conn, &x.up.conn) || !c.pour(&x.reply, &x.up.conn, &c.conn) {
		c.abort()
		return false
	}
	if x.request.shut && x.reply.shut {
		c.s.tally.tunnels.Add(-1)
		c.endRequest(false)
		c.close()
	}
	return false
}

// pour moves one direction. It returns false when either side broke.
func (c *client) pour(f *flow, src, dst *conn) bool {
	if f.shut {
		return true
	}
	switch c.s.move(f, src, dst) {
	case moveAgain:
		c.s.again(c)
	case moveSourceEnd:
		if u, ok := src.owner.(*upstream); ok && u.torn() {
			return false
		}
		f.ended, f.shut = true, true
		sysShutdownWrite(dst.fd)
	case moveSourceBroke, moveSinkBroke:
		return false
	}
	return true
}
