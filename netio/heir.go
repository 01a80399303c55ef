package netio

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// An Heir is the next server on the same listeners: this one gives it every client between two requests, so that no
// connection is closed because one program takes the place of another.
type Heir interface {
	// Inherit takes a client over. It is called on the loops: it must not block. The descriptor is the heir's.
	Inherit(Inheritance)
}

// An Inheritance is a client connection that passes from one server to another.
type Inheritance struct {
	FD       int
	Listener int    // the index in Options.Listeners of the server that gives it
	Bytes    []byte // read, and not answered: what there is of one request or several
}

// Yield stops accepting and gives heir the clients that are not being served: those between two requests, those in the
// middle of a head, and those that wait for their service. The others follow, each when its reply has ended, but for
// tunnels. When it returns no request begins here any more, and the listeners are closed; connections that nobody has
// accepted are the heir's if it has them too. Drain is to follow.
func (s *Server) Yield(heir Heir) {
	s.stopFront.Do(func() { s.front.yield() })
	done := newCountdown(len(s.splicers))
	for _, loop := range s.splicers {
		if !loop.inbox.post(message{kind: yieldMessage, heir: heir, done: done}) {
			done.report()
		}
	}
	<-done.closed
}

// Adopt serves a client that another server has given away, as if it had been accepted from the listener with that index.
// The descriptor is the server's, also when it cannot be served and is closed.
func (s *Server) Adopt(i Inheritance) error {
	peer, err := unix.Getpeername(i.FD)
	if err != nil {
		sysClose(i.FD)
		return nil // the client has gone
	}
	address := addrPortOf(peer).Addr().Unmap().WithZone("")
	if !address.IsValid() || i.Listener < 0 || i.Listener >= len(s.options.Listeners) {
		sysClose(i.FD)
		return fmt.Errorf("cannot adopt a client: it came from %v by listener %d, and there are %d", address, i.Listener, len(s.options.Listeners))
	}
	if s.sockets.Load() >= s.limits.hard {
		s.refused.Add(1)
		sysClose(i.FD)
		return nil
	}
	c := s.newClient(i.Listener, address)
	c.fresh = false
	if len(i.Bytes) > 0 {
		c.in = &buffer{data: i.Bytes, w: len(i.Bytes)}
	}
	loop := s.nextLoop()
	loop.tally.bytesIn.Add(int64(len(i.Bytes)))
	if errno := loop.handOver(c, i.FD); errno != 0 {
		s.uncount()
		sysClose(i.FD)
		return fmt.Errorf("cannot adopt a client: %w", errno)
	}
	return nil
}

// yield begins to give the loop's clients away.
func (s *splicer) yield(heir Heir) {
	s.heir = heir
	for c := s.clients; c != nil; {
		next := c.next
		s.current = c
		c.run()
		c = next
	}
}

// bequeath gives the connection to the heir, with what was read of it. A request that waits is asked for again there.
func (c *client) bequeath() {
	s := c.s
	i := Inheritance{FD: c.fd, Listener: c.listener, Bytes: append([]byte(nil), bytesOf(c.in)...)}
	if c.x != nil {
		c.x.entry = nil // the heir logs it
	}
	c.giveUp()
	// A close would not take it out of epoll, since the heir's descriptor keeps the socket open (epoll(7)).
	sysRemove(s.epoll, c.fd)
	c.retire()
	s.heir.Inherit(i)
}

// empty hands all that evio has accepted to the loops. A listener that nobody calls takes the places of ours, under the
// numbers that evio watches, so that it accepts no more and the heir finds what comes next in the queues.
func (r *round) empty() error {
	defer r.emptied.Store(true)
	for _, fd := range slices.Concat(r.placed()...) {
		if err := r.bell.listener.over(fd); err != nil {
			return err
		}
	}
	// A connection shows itself in a later turn of evio's loop than it was accepted in, and leaves it in another. A turn
	// takes up to 64 events and accepts one connection of each listener at most: so many turns are more than enough for
	// those that have not shown themselves, and the others are counted.
	for turns := 0; turns < 16 || r.opened.Load() > 0 && turns < 10_000; turns++ {
		if err := r.ask(); err != nil {
			return err
		}
	}
	return nil
}
