package loadtest

import (
	"context"
	"runtime"
	"time"
)

// generator is a number of clients on one thread and one epoll: so it takes as little of the machine as it can from
// what it measures, and its own share of a core is one number. A client sends a request, reads the reply, checks it,
// and has the next when the pacer has one due. Its connections outlast a run, so that runs can be interleaved.
type generator struct {
	poller   *poller
	dest     *target // where the connections go
	ask      func() *target
	byFd     []*client
	free     []*client
	resting  []*client
	scratch  []byte
	patience time.Duration       // how long after it was due a request may take before it counts as an error
	tick     func(now time.Time) // called ten times a second; nil: nobody wants to know

	// Of the present run.
	pace      pacer
	rec       *recorder
	began     time.Time
	taken     int64
	busy      int
	ended     bool      // no more requests are taken
	unread    []*client // have used up their turn, and may have more to read
	cutShort  int       // requests in flight when the run was interrupted
	oldestDue time.Time // of these
}

// client is one connection.
type client struct {
	fd     int      // -1: there is none
	tls    *secured // nil: there is none
	ready  bool     // connected
	unread bool     // has its place among those that read on
	gone   bool     // the server has ended the connection; there may still be bytes
	asking bool
	sent   int // bytes of the request
	ask    *target
	due    time.Time
	rest   time.Time // when it may try to connect again
	reply  reply
}

const (
	defaultPatience = 30 * time.Second
	// restTime is how long a client that could not connect waits: a dead server must not be asked a million times.
	restTime = 10 * time.Millisecond
)

// newGenerator makes clients that are not connected yet. ask chooses what the next request asks for; nil: always t.
func newGenerator(t *target, clients int, ask func() *target) (*generator, error) {
	g := &generator{dest: t, ask: ask, scratch: make([]byte, 64<<10), patience: defaultPatience, rec: newRecorder(time.Now(), 0)}
	if ask == nil {
		g.ask = func() *target { return t }
	}
	var err error
	if g.poller, err = newPoller(); err != nil {
		return nil, err
	}
	for range clients {
		g.free = append(g.free, &client{fd: -1})
	}
	return g, nil
}

func (g *generator) close() {
	for _, c := range g.byFd {
		if c != nil {
			g.drop(c)
		}
	}
	g.poller.close()
}

// lock keeps what follows on one thread until unlock: moving from one to another costs more than a request. A TLS
// handshake is a coroutine, which must go on on the thread on which it began, so none may be left over.
func (g *generator) lock() (unlock func()) {
	runtime.LockOSThread()
	return func() {
		for _, c := range g.byFd {
			if c != nil && !c.ready {
				g.drop(c)
			}
		}
		runtime.UnlockOSThread()
	}
}

// connect opens the connections of all clients and waits for them, so that a run does not begin with that.
func (g *generator) connect(ctx context.Context) error {
	defer g.lock()()
	opened := g.free
	g.free = nil
	for _, c := range opened {
		if err := g.open(c); err != nil {
			return err
		}
	}
	end := time.Now().Add(g.patience)
	for _, c := range opened {
		for !c.ready && c.fd >= 0 && ctx.Err() == nil && time.Now().Before(end) {
			if err := g.poller.turn(end, time.Now(), g.event); err != nil {
				return err
			}
		}
	}
	g.free = opened // those that failed say so with their first request
	return nil
}

// run has the pacer's requests made, and returns when each has come to an end or ctx has.
func (g *generator) run(ctx context.Context, pace pacer, rec *recorder, began time.Time) error {
	defer g.lock()()
	g.pace, g.rec, g.began, g.taken, g.busy, g.ended = pace, rec, began, 0, 0, false
	g.cutShort = 0
	scanned := began
	// Connections that ended since the last run are noticed before one of them is used.
	if err := g.poller.turn(began, began, g.event); err != nil {
		return err
	}
	for {
		now := time.Now()
		if ctx.Err() != nil {
			g.abandon()
			return nil
		}
		if now.Sub(scanned) > 100*time.Millisecond {
			scanned = now
			g.scan(now)
		}
		next := g.handOut(now)
		if g.ended && g.busy == 0 {
			return nil
		}
		if len(g.unread) > 0 {
			next = now
		}
		if err := g.poller.turn(next, now, g.event); err != nil {
			return err
		}
		g.readOn()
	}
}

// abandon ends a run that was interrupted: what is in flight counts neither as answered nor as failed, but it is known
// how much that is, as it may be just what had the user interrupt.
func (g *generator) abandon() {
	for _, c := range g.byFd {
		if c != nil && c.asking {
			if g.cutShort++; g.cutShort == 1 || c.due.Before(g.oldestDue) {
				g.oldestDue = c.due
			}
			c.asking = false
			g.drop(c)
			g.free = append(g.free, c)
		}
	}
}

// handOut gives free clients the requests that are due, and says when it has to be called again.
func (g *generator) handOut(now time.Time) time.Time {
	next := now.Add(time.Second)
	waiting := g.resting[:0]
	for _, c := range g.resting {
		if now.Before(c.rest) {
			waiting = append(waiting, c)
			next = earlier(next, c.rest)
		} else {
			g.free = append(g.free, c)
		}
	}
	g.resting = waiting
	for len(g.free) > 0 && !g.ended {
		c := g.free[len(g.free)-1]
		due, ok := g.take(now)
		if !ok {
			return earlier(next, due)
		}
		g.free = g.free[:len(g.free)-1]
		g.begin(c, due)
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// take gives the next request if it is due, or says when it will be.
func (g *generator) take(now time.Time) (time.Time, bool) {
	if g.ended {
		return now.Add(time.Second), false
	}
	for {
		since, ok := g.pace.pace(now.Sub(g.began), g.taken)
		if !ok {
			g.ended = true
			return now, false
		}
		due := g.began.Add(since)
		if due.After(now) {
			return due, false
		}
		g.taken++
		if now.Sub(due) <= g.patience {
			return due, true
		}
		g.rec.fail("no connection free within "+g.patience.String(), now, 1)
	}
}

// scan fails the requests whose patience is at its end. It counts from when a request was due, as it does for one that
// finds no connection: so no run is longer than its time and one patience.
func (g *generator) scan(now time.Time) {
	for _, c := range g.byFd {
		if c != nil && c.asking && now.Sub(c.due) > g.patience {
			c.reply.closes = true
			g.done(c, "no answer within "+g.patience.String())
		}
	}
	g.rec.advance(now)
	if g.tick != nil {
		g.tick(now)
	}
}
