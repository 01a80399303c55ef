package netio

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// An exchange is one request and its reply, with all they hold: the lease, the upstream, the buffers. It begins with a
// whole head and ends in endRequest, or in giveUp.
type exchange struct {
	open    bool // it has not ended
	route   Route
	lease   Lease
	backend *Backend
	up      *upstream
	bridge  *bridge // that is being made
	waiter  *Waiter // of the last Wait, until the reply begins
	entry   *Entry  // nil without a request log

	// The request stays at the front of client.in until its reply begins, or until it turns out to be larger than what
	// is there: as long as it stays, it can be sent again.
	headLen int // of the head; 0 once the request is gone from there
	taken   int // head and body

	minor      int
	isHead     bool
	idempotent bool
	keepAlive  bool // the connection goes on after this
	upgrade    bool // the client asks for another protocol
	expect     bool // it waits for 100 before it sends the body

	deaf      bool // the backend takes no more of the request
	begun     bool // the reply has begun to arrive
	interims  int
	headSent  bool // the final head of the reply has gone to the client
	status    int
	started   int64 // when the head was whole
	paused    int64 // when it was first not served and tried again later; 0: never
	dialled   int64 // when the backend was connected to
	asked     int64 // when the request was sent whole; 0 before
	connected time.Time
	added     string // field lines for the reply's head, of a request that has waited

	request, reply flow
}

// begin starts the exchange of the head that the loop has just parsed: the first n bytes of c.in.
func (c *client) begin(n int) {
	s, r := c.s, &c.s.request
	s.headOf = c
	s.tally.requests.Add(1)
	c.scanned, c.waits, c.fresh = 0, 0, false
	s.wheel.set(&c.timer, 0)
	c.x = s.exchanges.get()
	*c.x = exchange{
		open: true, headLen: n, minor: r.minor, isHead: r.isHead, idempotent: r.idempotent, upgrade: r.upgrade,
		keepAlive: r.keepAlive && !c.overloaded && !s.closing(), expect: r.expectContinue, started: s.now,
	}
	c.x.request.ended = c.x.request.body.start(r.body)
	if s.server.options.RequestLog != nil {
		c.x.entry = newEntry(c, r)
	}
	if c.overloaded {
		s.tally.overloaded.Add(1)
		c.answer(overloadedAnswer)
		return
	}
	c.x.route = s.server.options.Admission.Route(c.listener, r.host, r.path, r)
	if c.x.route == nil {
		s.tally.noRoute.Add(1)
		c.answer(noRouteAnswer)
		return
	}
	c.acquire()
}

// acquire takes a lease and sends the request, or has it wait.
func (c *client) acquire() {
	lease, b := c.x.route.Acquire(c.x.waiter)
	if b == nil {
		c.park()
		return
	}
	c.x.lease, c.x.backend = lease, b
	c.s.tally.leases.Add(1)
	c.forward(true)
}

// park has the request wait for its service. Nothing more is read from the client meanwhile.
func (c *client) park() {
	w := &Waiter{splicer: c.s, client: c, accepted: time.Now()}
	if c.x.waiter != nil {
		w.accepted = c.x.waiter.accepted
	}
	c.x.waiter = w
	c.state = stateWait
	c.s.tally.waiting.Add(1)
	c.shrink()
	c.x.route.Wait(w)
}

// shrink moves what was read to as much memory as it needs: many can wait for long.
func (c *client) shrink() {
	if p := bytesOf(c.in); len(p) <= bufferSize/4 && len(c.in.data) == bufferSize {
		small := &buffer{data: append([]byte(nil), p...), w: len(p)}
		c.s.buffers.put(c.in)
		c.in, c.s.headOf = small, nil
	}
}

// stillThere gives up a wait whose client has left.
func (c *client) stillThere() bool {
	if c.finished {
		c.leave()
	}
	return false
}

// dismiss answers a request that waits although the server closes.
func (c *client) dismiss() {
	switch c.state {
	case stateWait:
		c.s.tally.waiting.Add(-1)
		c.x.route.Cancel(c.x.waiter)
	case stateBridge:
		c.leaveBridge()
	case statePause:
	default:
		return
	}
	c.state = stateRelay
	c.answer(closingAnswer)
	c.run()
}

// granted goes on with a request whose service is ready.
func (c *client) granted(w *Waiter) {
	if c.state != stateWait || c.x.waiter != w {
		return // it has left, or was answered
	}
	w.granted = time.Now()
	c.s.tally.waiting.Add(-1)
	c.state = stateRelay
	c.acquire()
	c.run()
}

// refused answers a request whose service will not be ready.
func (c *client) refused(w *Waiter, a *Answer) {
	if c.state != stateWait || c.x.waiter != w {
		return
	}
	c.s.tally.waiting.Add(-1)
	c.s.tally.refused.Add(1)
	c.state = stateRelay
	c.answer(a)
	c.run()
}

// forward sends the request to its backend: on a pooled connection if allowed and if there is one. If it could not be
// sent again, that connection must be known to stand.
func (c *client) forward(pooled bool) {
	x, s := c.x, c.s
	r := c.head()
	x.request.ended = x.request.body.start(r.body)
	n, ended, err := x.request.body.take(bytesOf(c.in)[x.headLen:])
	if err != nil {
		c.refuseBody(err)
		return
	}
	x.request.ended, x.taken = ended, x.headLen+n
	p := s.poolOf(x.backend)
	var u *upstream
	if pooled {
		u = p.take(c, !x.idempotent || !ended)
	}
	if u == nil && x.backend.TLS != nil {
		c.build(p)
		return
	}
	if u == nil {
		fresh, errno := s.dial(p, c)
		if errno != 0 {
			p.forget()
			c.unreachable(errno)
			return
		}
		u = fresh
	}
	c.sendOn(u)
}

// sendOn begins to send the request on u.
func (c *client) sendOn(u *upstream) {
	c.x.up, c.x.dialled = u, c.s.now
	c.state = stateRelay
	c.sendHead(u, c.head())
}

// head returns the head of the request: as the loop has it still, or parsed again.
func (c *client) head() *request {
	s := c.s
	if s.headOf != c {
		s.headOf = c
		if _, err := parseRequest(bytesOf(c.in), &s.request); err != nil {
			panic("a head that was parsed before cannot be parsed again: " + err.Error())
		}
	}
	return &s.request
}

// sendHead writes the head, and what there is of the body, in one piece.
func (c *client) sendHead(u *upstream, r *request) {
	x, s := c.x, c.s
	f := forward{clientIP: c.ip, proto: "http", trusted: c.trusted, host: x.backend.Host}
	out := r.appendTo(s.scratch[:0], &f)
	out = append(out, bytesOf(c.in)[x.headLen:x.taken]...)
	s.scratch = out[:0]
	errno := s.send(&x.request, &u.conn, out)
	if errno != 0 {
		c.sinkBroke()
		return
	}
	if x.request.total > 0 {
		c.connected()
	}
	if x.request.ended {
		return
	}
	c.consume() // the rest of the body is not here: it cannot be repeated
}

// connected notes that the connection to the backend stands: it has taken a byte.
func (c *client) connected() {
	if u := c.x.up; !u.connected {
		u.connected = true
	}
	if c.x.waiter != nil && c.x.connected.IsZero() {
		c.x.connected = time.Now()
	}
}

// consume takes the request out of c.in. What is left there follows it.
func (c *client) consume() {
	if c.x.headLen == 0 {
		return
	}
	c.in.r += c.x.taken
	c.x.headLen, c.x.taken = 0, 0
	c.s.headOf = nil
	if c.in.r == c.in.w {
		c.s.buffers.put(c.in)
		c.in = nil
	}
}

// endRequest ends the exchange and gives back all it holds. Each exchange comes here exactly once.
func (c *client) endRequest(reusable bool) {
	x := c.x
	if invariants && !x.open {
		panic("a request has ended twice")
	}
	x.open = false
	if u := x.up; u != nil {
		x.up = nil
		u.free(reusable)
	}
	x.request.drop(c.s)
	x.reply.drop(c.s)
	if x.lease != nil {
		c.release()
	}
	if x.entry != nil {
		c.log()
	}
	x.route, x.backend, x.waiter = nil, nil, nil
}

// release gives the lease back.
func (c *client) release() {
	l := c.x.lease
	c.x.lease = nil
	c.s.tally.leases.Add(-1)
	l.Release()
}

// giveUp ends whatever the client was about, with no reply.
func (c *client) giveUp() {
	if c.state == stateWait {
		c.s.tally.waiting.Add(-1)
		c.x.route.Cancel(c.x.waiter)
	}
	if c.state == stateTunnel {
		c.s.tally.tunnels.Add(-1)
	}
	if c.state == stateBridge {
		c.leaveBridge()
	}
	if c.x != nil && c.x.open {
		c.endRequest(false)
	}
}

// leave ends the connection of a client that has gone before the end of its reply.
func (c *client) leave() {
	c.s.tally.clientGone.Add(1)
	if !c.x.headSent {
		c.x.status = statusClientGone
	}
	c.giveUp()
	c.close()
}

// nextRequest goes on to the client's next request.
func (c *client) nextRequest() bool {
	c.consume()
	c.dropExchange()
	c.state = stateHead
	return true
}

const statusClientGone = 499 // nginx's

// outOfFiles tells whether err says that we have too many sockets, rather than that the backend is not there.
func outOfFiles(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }
