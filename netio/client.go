package netio

import (
	"bytes"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// clientState is what a client connection is about. Events are answered by it (see step).
type clientState uint8

const (
	stateHead   clientState = iota // between requests, or in a head
	stateWait                      // its request waits for the service
	statePause                     // its request is tried again in a moment
	stateBridge                    // a bridge to its backend is being made
	stateRelay                     // request and reply go between it and a backend
	stateTunnel                    // upgraded: bytes go both ways
	stateAnswer                    // an answer of ours goes out
	stateLinger                    // all is said; what it still sends is thrown away
	stateClosed
)

// A client is one client connection, from its accept to its close. It lives on one loop, once the guest, where it may
// begin, has passed it on.
type client struct {
	conn
	s          *splicer
	next, prev *client // all of the loop
	state      clientState
	adopted    bool // the loop has seen it
	watched    bool // it is in the loop's epoll
	guest      bool // it is with the front's loop, and may be passed on
	queued     bool // it is in the loop's ready list
	trusted    bool // the peer is one of Options.TrustedProxies
	overloaded bool // it came above the soft cap
	fresh      bool // none of its heads has been whole
	listener   int
	address    netip.Addr
	ip         []byte // address as text

	in      *buffer // read and not used; nil when there is nothing
	scanned int     // how many bytes of it are known to hold no whole head
	waits   int64   // in stateHead and stateLinger, since when

	x *exchange // from a whole head until the next one is awaited, or the close; else nil
}

// newClient counts a connection, and makes it a client that is yet to be handed to a loop.
func (s *Server) newClient(listener int, address netip.Addr) *client {
	clients, sockets := s.clients.Add(1), s.sockets.Add(1)
	return &client{
		listener: listener, address: address, ip: address.AppendTo(nil), trusted: s.options.trusts(address),
		overloaded: clients > s.limits.clients || sockets > s.limits.soft, fresh: true,
	}
}

// uncount forgets a connection that newClient has counted.
func (s *Server) uncount() {
	s.clients.Add(-1)
	s.sockets.Add(-1)
}

// wake handles an event on the connection, and whatever else may have changed for it. A client that keeps its loop busy
// is put behind the others.
func (c *client) wake() {
	if !c.adopted {
		c.s.adopt(c)
	}
	c.run()
}

// stepsPerTurn bounds how many requests of one client, pipelined, are handled before others get their turn.
const stepsPerTurn = 32

func (c *client) run() {
	for range stepsPerTurn {
		if !c.step() {
			if !c.watched && (c.state != stateRelay || !c.writable) && c.state != stateClosed {
				c.watch()
			}
			return
		}
	}
	c.s.again(c)
}

// step does what can be done in the present state. It returns whether there is more to do now, in another state.
func (c *client) step() bool {
	if c.s.heir != nil && c.atRest() {
		c.bequeath()
		return false
	}
	switch c.state {
	case stateHead:
		return c.readHead()
	case stateWait, statePause, stateBridge:
		return c.stillThere()
	case stateRelay:
		return c.relay()
	case stateTunnel:
		return c.tunnel()
	case stateAnswer:
		return c.flushAnswer()
	case stateLinger:
		return c.linger()
	}
	return false
}

// atRest tells whether nothing of the client is with a backend or on its way back.
func (c *client) atRest() bool {
	return c.state == stateHead || c.state == stateWait || c.state == statePause || c.state == stateBridge
}

// readHead reads until a head is whole.
func (c *client) readHead() bool {
	for {
		if p := bytesOf(c.in); len(p) > c.scanned {
			if n, err := c.scan(p); n > 0 {
				if c.guest && !c.stays() {
					return false
				}
				c.begin(n)
				return true
			} else if err != nil {
				c.refuseHead(err)
				return true
			}
			c.scanned = len(p)
		}
		if !c.readable {
			return c.awaitHead()
		}
		if errno := c.fill(); errno != 0 && errno != unix.EAGAIN {
			c.close()
			return false
		}
	}
}

// scan looks for a whole head in p. Each try begins anew, so not every byte of a trickled head is worth one.
func (c *client) scan(p []byte) (int, error) {
	const sure = 256 // what speaks no HTTP shows itself here
	if c.scanned > sure && len(p) < maxHead && bytes.IndexByte(p[c.scanned:], '\n') < 0 {
		return 0, nil
	}
	c.s.headOf = nil
	return parseRequest(p, &c.s.request)
}

// fill reads into c.in.
func (c *client) fill() syscall.Errno {
	b := c.room()
	n, errno := c.read(b.data[b.w:])
	b.w += n
	c.s.tally.bytesIn.Add(int64(n))
	if b.r == b.w {
		c.s.buffers.put(b)
		c.in = nil
	}
	return errno
}

// room returns c.in with room for more bytes. What came from the front has none.
func (c *client) room() *buffer {
	old := c.in
	if old != nil && len(old.data) == bufferSize && old.w < bufferSize {
		return old
	}
	b := c.s.buffers.get()
	b.w = copy(b.data, bytesOf(old)) // less than maxHead, or scan had refused it
	c.s.buffers.put(old)
	c.in = b
	return b
}

// awaitHead sets the deadline of a connection that has no whole head, or closes it if there will be none.
func (c *client) awaitHead() bool {
	t := &c.s.server.options.Timeouts
	if c.waits == 0 && (c.in != nil || c.fresh) {
		c.waits = c.s.now
	}
	switch {
	case c.guest && !c.s.draining && c.s.handed.Load() > guestClients:
		c.passOn()
	case c.guest && !c.s.draining:
		c.s.wheel.set(&c.timer, c.waits+int64(guestPatience))
	case c.in != nil || c.fresh && !c.s.closing():
		c.s.wheel.set(&c.timer, c.waits+int64(t.Head))
	case c.s.closing():
		c.close()
	default:
		c.s.wheel.set(&c.timer, c.s.now+int64(t.KeepAlive))
	}
	return false
}

// expire handles a deadline that has passed.
func (c *client) expire() {
	switch c.state {
	case stateHead:
		if c.guest {
			c.outstay()
			return
		}
		if c.in != nil || c.fresh {
			c.s.tally.headTimeout.Add(1)
		}
		c.close()
	case statePause:
		c.resume()
		c.run()
	case stateRelay:
		c.relayExpired()
		c.run()
	case stateAnswer:
		c.s.tally.stalled.Add(1)
		c.abort()
	case stateLinger:
		c.close()
	}
}

// finish ends a connection whose last reply is written. Closing with unread bytes would send RST, which can reach the
// client before it has read the reply: then the end is drawn out (RFC 9112 section 9.6).
func (c *client) finish() {
	if c.in == nil && c.x.request.ended && !c.readable {
		c.close()
		return
	}
	c.s.buffers.put(c.in)
	c.in = nil
	sysShutdownWrite(c.fd)
	c.state = stateLinger
	c.waits = c.s.now
	c.lingerOn()
}

// lingerOn sets how long the end is still drawn out for a client that says no more.
func (c *client) lingerOn() {
	total := lingerTotal
	if c.s.draining {
		total = lingerLast
	}
	c.s.wheel.set(&c.timer, min(c.s.now+int64(lingerQuiet), c.waits+int64(total)))
}

// linger reads what the client still sends, until it ends, falls silent or has had enough time.
func (c *client) linger() bool {
	s := c.s
	b := s.buffers.get()
	defer s.buffers.put(b)
	reads, _ := s.share()
	for range reads {
		if !c.readable {
			return false
		}
		n, errno := c.read(b.data)
		if errno == unix.EAGAIN {
			return false
		}
		if errno != 0 {
			c.close()
			return false
		}
		s.tally.bytesIn.Add(int64(n))
		c.lingerOn()
	}
	s.again(c)
	return false
}

// abort ends the connection so that the client sees a break and not an end. Whatever the request held is given back.
func (c *client) abort() {
	if c.state == stateClosed {
		return
	}
	c.giveUp()
	sysReset(c.fd)
	c.close()
}

// close ends the connection. The request, if there was one, must have been ended before.
func (c *client) close() {
	c.retire()
	sysClose(c.fd)
}

// retire makes the loop forget the connection.
func (c *client) retire() {
	s := c.s
	s.unregister(&c.conn)
	s.buffers.put(c.in)
	c.in = nil
	c.dropExchange()
	c.state = stateClosed
	s.forget(c)
}
