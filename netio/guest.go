package netio

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The front has a splicer of its own, the guest. It lives in evio's loop: evio calls back, and in the callback the guest
// turns as any other splicer does, with evio's epoll among what it waits for, until evio has something to do. So a
// connection that is for one request only is accepted, served and closed by one thread: to wake another costs as much as
// half of the rest. All other connections, and those that come when the guest has enough of them, it gives to the loops
// of their own.
//
// Besides, evio's loop never wakes to see that there is nothing to do: left to itself it does so ten times a second, and
// each time the runtime's monitor wakes some sixty times more to see whether the thread has come to a rest.
//
// A guest whose front is between two rounds turns on a goroutine of its own.

// guestClients are as many as the guest keeps for itself: what is more has other cores to go to.
const guestClients = 64

// guestPatience is how long the guest waits for the head of a client.
const guestPatience = 10 * time.Millisecond

// hurry is how often evio gets its loop back, while it has something to do, before the guest looks for events.
const hurry = 4

// yieldEvery is how often evio's goroutine, while it is busy, lets the scheduler have its P for a moment. Where it does not,
// the runtime's monitor interrupts it every ten milliseconds, by a signal, and wakes much more often than that to do so.
const yieldEvery = 5 * time.Millisecond

// absence is how long evio may keep its loop to itself after it had something to do. It has called back by then, but
// where it had been woken for a connection that somebody else, on the same listener, has accepted.
const absence = 50 * time.Millisecond

// A lodging is the place of a guest in one round of evio.
type lodging struct {
	bell   *bell
	epoll  int           // evio's
	guests chan *splicer // who is to move in
	over   chan struct{} // closed when the guest is to move out

	mu      sync.Mutex // held while the guest has its turns
	guest   *splicer   // who has moved in; nil: nobody
	yielded int64      // when evio's goroutine last let others have its P
	hurried int        // so often the guest has not looked for events

	closed  atomic.Bool
	visits  atomic.Int64 // how often the guest has had its turns and been left
	outside atomic.Bool  // evio has its loop to itself
	watched atomic.Bool  // by watch
	watch   *time.Timer
	seen    int64 // of visits, by watch
}

func newLodging(b *bell) *lodging {
	l := &lodging{bell: b, guests: make(chan *splicer, 1), over: make(chan struct{})}
	l.watch = time.AfterFunc(time.Hour, l.look)
	l.watch.Stop()
	return l
}

// moveInto has the loop turn as the guest of an evio, until that has ended. It is called on the loop's own goroutine,
// and is where the loop is handed from that to evio's, and back.
func (s *splicer) moveInto(l *lodging) {
	l.guests <- s
	l.bell.ring()
	<-l.over
	s.inner = -1
}

// welcome is called on evio's loop when the bell has rung: the guest may stand before the door.
func (l *lodging) welcome() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return
	}
	select {
	case s := <-l.guests:
		if sysWatch(s.epoll, l.epoll) == 0 {
			s.inner, l.guest = l.epoll, s
		} else {
			l.letGo()
		}
	default:
	}
}

// host is called on evio's loop whenever evio calls back and something may have changed. It returns when evio has
// something to do; more says that it certainly has.
func (l *lodging) host(more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.guest
	if s == nil {
		return
	}
	l.outside.Store(false)
	s.called = false
	s.attend(false)
	if l.hurried++; !more || l.hurried > hurry {
		l.hurried = 0
		for !s.called {
			s.attend(true)
		}
	}
	if s.now-l.yielded > int64(yieldEvery) {
		l.yielded = s.now
		runtime.Gosched()
	}
	l.visits.Add(1)
	l.outside.Store(true)
	if l.watched.CompareAndSwap(false, true) {
		l.watch.Reset(absence)
	}
}

// receive gives a connection to the guest, if there is one.
func (l *lodging) receive(c *client, fd int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guest != nil {
		l.guest.receive(c, fd)
	}
	return l.guest != nil
}

// close has the guest go back to its goroutine. It may be called twice.
func (l *lodging) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.letGo()
}

func (l *lodging) letGo() {
	if l.closed.Swap(true) {
		return
	}
	l.guest = nil
	close(l.over)
	l.watch.Stop()
}

// look ends an absence that nothing else would end.
func (l *lodging) look() {
	visits := l.visits.Load()
	if l.closed.Load() {
		return
	}
	if !l.outside.Load() {
		l.watched.Store(false)
		if !l.outside.Load() || !l.watched.CompareAndSwap(false, true) {
			return
		}
	} else if visits == l.seen {
		l.bell.ring()
	}
	l.seen = visits
	l.watch.Reset(absence)
}

// receive takes in a connection that evio has let go. It is dealt with before evio gets its loop back.
func (s *splicer) receive(c *client, fd int) {
	c.s = s
	c.conn = conn{fd: fd, gen: s.server.generation.Add(1), readable: true, writable: true, toClient: true, blocking: true, owner: c}
	c.timer.owner = &c.conn
	s.arrived = append(s.arrived, c)
}

// handleArrived decides about those who were received.
func (s *splicer) handleArrived() {
	for s.settled < len(s.arrived) {
		c := s.arrived[s.settled]
		s.arrived[s.settled] = nil
		s.settled++
		c.settle()
	}
	s.arrived, s.settled = s.arrived[:0], 0
}

// settle begins with a client that was received.
func (c *client) settle() {
	s := c.s
	s.handed.Add(1)
	s.current = c
	if s.adopt(c); c.state != stateClosed {
		c.guest = true
		c.run()
	}
}

// stays tells whether a client of the guest, whose head has just been parsed, is one for it: its first request is its
// last. Others go to a loop where they can stay, as long as the loops are sure to be there.
func (c *client) stays() bool {
	c.guest = false
	if !c.s.draining && (!c.s.request.last() || c.s.handed.Load() > guestClients) {
		c.passOn()
		return false
	}
	if !c.watched {
		c.s.unwatched = append(c.s.unwatched, c)
	}
	return true
}

// outstay ends the guest's patience with a client. One that cannot go to another loop has the time it would have there.
func (c *client) outstay() {
	if !c.s.draining {
		c.passOn()
		return
	}
	c.guest = false
	c.awaitHead()
}

// last tells whether a request is whole with its head, and ends its connection.
func (r *request) last() bool { return !r.keepAlive && !r.upgrade && r.body.kind == noBody }

// passOn gives a client, with what was read of it, to a loop where it can stay.
func (c *client) passOn() {
	s, server, fd := c.s, c.s.server, c.fd
	c.guest = false
	s.leave(c)
	s.unregister(&c.conn)
	if c.watched {
		sysRemove(s.epoll, fd)
	}
	c.scanned = 0
	if p := bytesOf(c.in); len(p) > 0 {
		own := &buffer{data: append([]byte(nil), p...), w: len(p)}
		s.buffers.put(c.in)
		c.in = own
	}
	next := server.nextLoop()
	if c.waits != 0 {
		c.waits += int64(s.start.Sub(next.start)) // by its clock
	}
	if errno := next.handOver(c, fd); errno != 0 {
		c.state = stateClosed
		sysClose(fd)
		server.uncount()
		server.options.Log.Error("cannot take over a connection", "cause", errno)
	}
}

// A client of the guest is not in its epoll to begin with: most replies are there before there is anything else to be
// told. One whose request has taken lateness, or that does not take its reply at once, is put there.
const lateness = 2 * time.Millisecond

// watch has the loop told of events on a client.
func (c *client) watch() {
	c.watched = true
	errno := sysCloseOnExec(c.fd)
	if errno == 0 {
		errno = c.s.register(&c.conn)
	}
	if errno != 0 {
		c.abort()
	}
}

// watchLate puts into epoll those clients whose time has come.
func (s *splicer) watchLate() {
	for ; s.oldest < len(s.unwatched); s.oldest++ {
		c := s.unwatched[s.oldest]
		if c.state != stateClosed && !c.watched {
			if s.now-c.x.started < int64(lateness) {
				break
			}
			s.current = c
			c.watch()
		}
		s.unwatched[s.oldest] = nil
	}
	if 2*s.oldest >= len(s.unwatched) {
		s.unwatched = s.unwatched[:copy(s.unwatched, s.unwatched[s.oldest:])]
		s.oldest = 0
	}
}
