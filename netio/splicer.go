package netio

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A splicer is one epoll loop. It owns its clients, both ends of each pair, and everything they use. Another goroutine
// touches the inbox, the tally and the count of clients, and makes a client its own (handOver), which it learns of by the
// first event. The guest turns on evio's goroutine at times, which then owns it (moveInto).
type splicer struct {
	server *Server
	epoll  int
	poll   int // milliseconds, see longPoll
	inbox  *inbox
	tally  tally
	handed atomic.Int64 // clients, from the hand-over to the close, or until they are passed on
	ended  chan struct{}

	events [256]unix.EpollEvent
	at, n  int    // events[at:n] are still to be handled
	busy   bool   // the last turn had something to do
	turns  uint64 // how often the loop has waited for events
	now    int64  // of clock, at the beginning of the turn
	start  time.Time

	clients  *client   // all that the loop has seen
	ready    []*client // those that have more to do, for the next turn
	turning  []*client // those of this turn: from turned on they are still to be handled
	turned   int
	mail     []message // from the inbox: from opened on they are still to be handled
	opened   int
	current  owner // whose event is being handled
	draining bool
	cutting  bool
	severed  bool // something was under way when the rest was cut; may be read when the loop has ended

	inner     int       // evio's epoll, if the loop is its guest, else -1
	called    bool      // evio has something to do
	host      *lodging  // where to move in, or where it is
	arrived   []*client // from evio: from settled on they are still to be dealt with
	settled   int
	unwatched []*client // from oldest on: those that are not in epoll, by age
	oldest    int
	heir      Heir // who gets the clients; nil: nobody

	wheel   wheel
	trimmed int64 // when the buffers were last trimmed
	buffers bufferPool
	pipes   pipePool

	exchanges exchangePool
	pools     map[*Backend]*pool
	lastPool  *pool

	// What parsing and building a head needs, once for all connections.
	request  request
	headOf   *client // whose head is in request; nil: nobody's
	response response
	scratch  []byte
}

// newSplicer makes one of that many loops.
func newSplicer(server *Server, loops int) (*splicer, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	box, err := newInbox()
	if err != nil {
		unix.Close(epoll)
		return nil, err
	}
	if errno := sysAdd(epoll, box.event, 0); errno != 0 {
		unix.Close(epoll)
		box.close()
		return nil, errno
	}
	return &splicer{
		server: server, poll: pollTime(loops), epoll: epoll, inner: -1, inbox: box, start: time.Now().Add(-time.Second),
		ended: make(chan struct{}), pipes: pipePool{server: server}, pools: make(map[*Backend]*pool), scratch: make([]byte, 0, 2*bufferSize),
	}, nil
}

// clock is the loop's time in nanoseconds, never 0.
func (s *splicer) clock() int64 { return int64(time.Since(s.start)) }

// run is the loop. It ends when it has been told to drain, or to cut, and the last client is gone.
func (s *splicer) run() {
	defer close(s.ended)
	s.now = s.clock()
	for !s.draining || s.handed.Load() > 0 {
		s.turn()
		if s.host != nil {
			s.moveInto(s.host)
			s.host = nil
		}
	}
	s.end()
}

// closing tells whether a connection ends with the reply that is being made.
func (s *splicer) closing() bool { return s.draining && s.heir == nil }

// turn waits for events and handles them. What is handled is counted before, so that after a panic the next turn goes
// on behind what has caused it.
func (s *splicer) turn() { s.attend(true) }

// attend is a turn that may leave the waiting out.
func (s *splicer) attend(wait bool) {
	defer s.rescue()
	s.handleMail()
	if s.at == s.n && wait {
		s.wait()
		s.noteAll()
	} else if !wait {
		s.now = s.clock()
	}
	for s.at < s.n {
		ev := &s.events[s.at]
		s.at++
		s.handle(int(ev.Fd), uint32(ev.Pad))
	}
	s.handleArrived()
	s.handleReady()
	s.watchLate()
	for t := s.wheel.due(s.now); t != nil; t = s.wheel.due(s.now) {
		s.current = t.owner.owner
		s.current.expire()
	}
	s.current = nil
}

// noteAll notes all events before the first is handled, so that no request is given to an idle connection that is known
// to have something unexpected to say.
func (s *splicer) noteAll() {
	for i := s.at; i < s.n; i++ {
		ev := &s.events[i]
		if c := s.server.table.get(int(ev.Fd)); c != nil && c.gen == uint32(ev.Pad) {
			c.note(ev.Events)
		}
	}
}

// handle finds whom an event is for. One for an earlier use of the descriptor is nobody's.
func (s *splicer) handle(fd int, gen uint32) {
	if fd == s.inbox.event {
		s.mail, s.opened = s.inbox.take(), 0
		s.handleMail()
		return
	}
	if fd == s.inner {
		s.called = true
		return
	}
	c := s.server.table.get(fd)
	if c == nil || c.gen != gen {
		return
	}
	s.current = c.owner
	c.owner.wake()
}

// trim gives memory back that was needed in a rush.
func (s *splicer) trim() {
	if s.now-s.trimmed > int64(time.Second) {
		s.trimmed = s.now
		s.buffers.trim()
		s.pipes.trim()
	}
}

// again puts a client that has more to do behind the others.
func (s *splicer) again(c *client) {
	if !c.queued && c.state != stateClosed {
		c.queued = true
		s.ready = append(s.ready, c)
	}
}

// handleReady gives each client that has more to do a turn.
func (s *splicer) handleReady() {
	if s.turned == len(s.turning) {
		s.ready, s.turning, s.turned = s.turning[:0], s.ready, 0
	}
	for s.turned < len(s.turning) {
		c := s.turning[s.turned]
		s.turning[s.turned] = nil
		s.turned++
		c.queued = false
		s.current = c
		c.run()
	}
}

// register publishes a conn and adds it to the loop's epoll. After that its events come.
func (s *splicer) register(c *conn) syscall.Errno {
	c.timer.owner = c
	if !s.server.table.put(c.fd, c) {
		return unix.EMFILE
	}
	errno := sysAdd(s.epoll, c.fd, c.gen)
	if errno != 0 {
		s.server.table.clear(c.fd)
	}
	return errno
}

// unregister forgets a conn that is about to be closed; the kernel takes it out of epoll.
func (s *splicer) unregister(c *conn) {
	s.wheel.remove(&c.timer)
	if s.server.table.get(c.fd) == c {
		s.server.table.clear(c.fd)
	}
}

// adopt takes a client in at its first event.
func (s *splicer) adopt(c *client) {
	c.adopted = true
	c.next = s.clients
	if c.next != nil {
		c.next.prev = c
	}
	s.clients = c
	if s.cutting {
		c.abort()
	}
}

// forget lets a closed client go.
func (s *splicer) forget(c *client) {
	s.leave(c)
	s.server.uncount()
}

// leave takes a client out of the loop's.
func (s *splicer) leave(c *client) {
	if s.headOf == c {
		s.headOf = nil
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.clients = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.next, c.prev, c.adopted = nil, nil, false
	s.handed.Add(-1)
}

// rescue keeps a panic from ending more than the connection it came from.
func (s *splicer) rescue() {
	cause := recover()
	if cause == nil {
		return
	}
	s.tally.panics.Add(1)
	s.server.options.Log.Error("panic on a loop: its connection is closed",
		slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	broken := s.current
	s.current, s.headOf = nil, nil
	if broken == nil {
		return
	}
	defer func() {
		if again := recover(); again != nil {
			s.server.options.Log.Error("panic while closing that connection", slog.Any("cause", again))
		}
	}()
	broken.abort()
}

// end gives back what the loop owns.
func (s *splicer) end() {
	for _, p := range s.pools {
		for p.all != nil {
			p.all.close()
		}
	}
	s.pipes.empty()
	unix.Close(s.epoll)
	for _, m := range append(s.mail[s.opened:], s.inbox.close()...) {
		if m.done != nil {
			m.done.report()
		}
		if m.bridge != nil && m.bridge.err == nil {
			m.bridge.discard()
		}
	}
	if n := s.tally.leases.Load(); invariants && n != 0 {
		panic(fmt.Sprintf("%d leases were never released", n))
	}
}
