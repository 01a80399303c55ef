package netio

import "time"

// idleBackend is how long an unused connection to a backend is kept. Node closes its own after 5 s.
const idleBackend = 4 * time.Second

// quarantine is how long a connection is kept out of its pool after a reply that tells of a body and must have none, as
// that to a HEAD. A backend that sends the body all the same does so at once, but perhaps in a packet of its own.
const quarantine = 100 * time.Millisecond

// maxAside is how many connections of one pool are kept out of it at once. Others are closed: who sends one HEAD after the
// other opens one connection for each, but does not keep all of them open.
const maxAside = 8

// A pool holds one loop's connections to one Backend. The most recently used is used first, so that the others can age.
type pool struct {
	s       *splicer
	backend *Backend
	all     *upstream // in use or idle
	idle    *upstream // top of the stack
	aside   int       // so many are put aside
}

// poolOf returns the pool of b. It exists from the first connection to the end of the last.
func (s *splicer) poolOf(b *Backend) *pool {
	if s.lastPool != nil && s.lastPool.backend == b {
		return s.lastPool
	}
	p := s.pools[b]
	if p == nil {
		p = &pool{s: s, backend: b}
		s.pools[b] = p
	}
	s.lastPool = p
	return p
}

// join takes u in. The pool may have been given up meanwhile, with the last connection that take found dead.
func (p *pool) join(u *upstream) {
	p.s.pools[p.backend] = p
	u.next = p.all
	if u.next != nil {
		u.next.prev = u
	}
	p.all = u
}

// leave takes u out for good.
func (p *pool) leave(u *upstream) {
	p.unpark(u)
	if u.prev != nil {
		u.prev.next = u.next
	} else {
		p.all = u.next
	}
	if u.next != nil {
		u.next.prev = u.prev
	}
	p.forget()
}

// forget gives up a pool that has no connection.
func (p *pool) forget() {
	if p.all != nil {
		return
	}
	delete(p.s.pools, p.backend)
	if p.s.lastPool == p {
		p.s.lastPool = nil
	}
}

// park puts u on the stack of idle connections.
func (p *pool) park(u *upstream) {
	u.idlePrev, u.idleNext = nil, p.idle
	if u.idleNext != nil {
		u.idleNext.idlePrev = u
	}
	p.idle = u
	u.parked = p.s.turns
	p.s.tally.backendIdle.Add(1)
}

// unpark takes u off that stack, if it is there.
func (p *pool) unpark(u *upstream) {
	switch {
	case p.idle == u:
		p.idle = u.idleNext
	case u.idlePrev != nil:
		u.idlePrev.idleNext = u.idleNext
	default:
		return
	}
	if u.idleNext != nil {
		u.idleNext.idlePrev = u.idlePrev
	}
	u.idleNext, u.idlePrev = nil, nil
	p.s.tally.backendIdle.Add(-1)
}

// take gives c the connection that was used last; nil if there is none. With sure, one that is known to stand. So must
// be one on whose socket nobody has looked since its last reply: what its backend has said behind that, as some do after
// a HEAD, would be taken for the reply to c. Of what is still within a bridge epoll does not tell.
func (p *pool) take(c *client, sure bool) *upstream {
	for u := p.next(); u != nil; u = p.next() {
		if u.readable || u.finished || (sure || u.suspect || u.parked == p.s.turns || u.bridge != nil) && !u.alive() {
			u.close()
			continue
		}
		p.unpark(u)
		p.s.wheel.set(&u.timer, 0)
		u.client = c
		p.s.tally.backendReuses.Add(1)
		return u
	}
	return nil
}

// next is the idle connection to try: the one used last, but rather one of which epoll has had the time to tell.
func (p *pool) next() *upstream {
	const far = 16 // it is cheaper to look at a socket than to go on
	u := p.idle
	for range far {
		if u == nil || u.parked != p.s.turns {
			break
		}
		u = u.idleNext
	}
	if u == nil {
		return p.idle
	}
	return u
}

// retire closes the connections that nobody uses, and with cut breaks those in use: their requests get an answer where none has
// begun.
func (p *pool) retire(cut bool) {
	for u := p.all; u != nil; {
		next := u.next
		if u.client == nil {
			u.close()
		}
		u = next
	}
	for u := p.all; cut && u != nil; u = p.all {
		c := u.client
		c.backendLost(&p.s.tally.backend)
		c.run()
	}
}
