package loadtest

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// open begins a client's connection.
func (g *generator) open(c *client) error {
	fd, err := g.dest.dial()
	if err != nil {
		return err
	}
	if err := g.poller.add(fd); err != nil {
		unix.Close(fd)
		return err
	}
	for len(g.byFd) <= fd {
		g.byFd = append(g.byFd, nil)
	}
	c.fd, c.ready, g.byFd[fd] = fd, false, c
	return nil
}

func (g *generator) drop(c *client) {
	if c.fd >= 0 {
		if c.tls != nil {
			c.tls.end()
			c.tls = nil
		}
		unix.Close(c.fd)
		g.byFd[c.fd] = nil
		c.fd = -1
	}
	c.ready, c.gone = false, false
}

// begin has a client make a request.
func (g *generator) begin(c *client, due time.Time) {
	g.busy++
	c.ask, c.asking, c.sent, c.due = g.ask(), true, 0, due
	c.reply.reset(c.ask.expect, c.ask.sink)
	if c.fd < 0 {
		if err := g.open(c); err != nil {
			g.done(c, "connect: "+errnoText(err))
		}
		return // it is sent when the connection is there
	}
	if c.ready {
		g.send(c)
	}
}

// send writes what is left of the request.
func (g *generator) send(c *client) {
	for c.sent < len(c.ask.request) {
		n, err := c.write(c.ask.request[c.sent:])
		switch err {
		case nil:
			c.sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			return
		default:
			c.reply.closes = true
			g.done(c, "send: "+errnoText(err))
			return
		}
	}
}

func (c *client) write(data []byte) (int, error) {
	if c.tls != nil {
		return c.tls.write(data)
	}
	return unix.Write(c.fd, data)
}

func (c *client) receive(into []byte) (int, error) {
	if c.tls != nil {
		return c.tls.receive(into)
	}
	return unix.Read(c.fd, into)
}

// event handles what the kernel says of a connection.
func (g *generator) event(fd int, gone bool) {
	c := g.byFd[fd]
	if c == nil {
		return // dropped within this turn
	}
	c.gone = c.gone || gone
	if !c.ready && !g.connected(c) {
		return
	}
	if c.tls != nil {
		c.tls.flush() // what is wrong with it is found by what follows
	}
	if c.asking && c.sent < len(c.ask.request) {
		g.send(c)
		if c.fd != fd || !c.asking {
			return
		}
	}
	g.read(c)
}

// connected goes on with a connection that is not ready yet, and tells whether it is now.
func (g *generator) connected(c *client) bool {
	if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		g.refused(c, "connect: "+errnoText(unix.Errno(code)))
		return false
	}
	if g.dest.tls != nil {
		if c.tls == nil {
			c.tls = secure(c.fd, g.dest.tls)
		}
		done, err := c.tls.shake()
		if err != nil {
			g.refused(c, "TLS handshake: "+errnoText(err))
		}
		if !done || err != nil {
			return false
		}
	}
	c.ready = true
	return true
}

// refused ends the attempt to connect.
func (g *generator) refused(c *client, wrong string) {
	if c.asking {
		g.done(c, wrong)
		return
	}
	g.drop(c)
}

// mostReads is how often a client reads before the others have their turn: a server that sends without end must not
// hold up the clients beside it, nor the clock.
const mostReads = 16

// read takes what has come until there is no more, or the reply is whole.
func (g *generator) read(c *client) {
	for range mostReads {
		n, err := c.receive(g.scratch)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			g.lost(c, "receive: "+errnoText(err))
			return
		case n == 0:
			g.lost(c, "")
			return
		case !c.asking:
			g.rec.fail("bytes that nobody asked for", time.Now(), 1)
			g.drop(c)
			return
		}
		rest, whole, wrong := c.reply.feed(g.scratch[:n])
		if len(rest) > 0 && (wrong == "" || whole) {
			wrong, whole = "bytes that nobody asked for", false
		}
		if whole || wrong != "" {
			// Where a reply that is wrong in itself ends, nobody knows; one that is whole only says what is wrong.
			c.reply.closes = c.reply.closes || !whole
			g.done(c, wrong)
			return
		}
		if n < len(g.scratch) && !c.gone && c.tls == nil {
			return // a short read: what comes later has an event of its own
		}
	}
	if !c.unread {
		c.unread = true
		g.unread = append(g.unread, c)
	}
}

// readOn has those read that have used up their turn. Nothing tells of them again, as epoll is edge-triggered.
func (g *generator) readOn() {
	again := g.unread
	g.unread = nil
	for _, c := range again {
		if c.unread = false; c.ready {
			g.read(c)
		}
	}
}

// lost handles the end of a connection. Between two requests a server may end it; that is no error.
func (g *generator) lost(c *client, wrong string) {
	if !c.asking {
		g.drop(c)
		return
	}
	if wrong == "" {
		_, wrong = c.reply.end()
	}
	c.reply.closes = true
	g.done(c, wrong)
}

// done ends a request, well if there is nothing wrong, and has the client go on with the next.
func (g *generator) done(c *client, wrong string) {
	now := time.Now()
	g.busy--
	c.asking = false
	if wrong == "" {
		g.rec.good(c.due, now)
	} else {
		g.rec.fail(wrong, now, 1)
	}
	if !c.ready || c.reply.closes || c.gone {
		connected := c.ready
		g.drop(c)
		if !connected {
			c.rest = now.Add(restTime)
			g.resting = append(g.resting, c)
			return
		}
	}
	due, ok := g.take(now)
	if !ok {
		g.free = append(g.free, c)
		return
	}
	g.begin(c, due)
}

// errnoText names an error of the kernel without what varies, so that its kind can be counted.
func errnoText(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
