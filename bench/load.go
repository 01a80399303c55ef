package main

import (
	"context"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// stallTime is how long nothing may come back at all before a run is given up.
const stallTime = 30 * time.Second

// load is a closed loop of clients: each sends a request, reads the reply, checks it and sends the next, until a fixed
// number is done. One thread and one epoll serve all of them, so that the generator takes as little of the machine from
// the contender as it can.
type load struct {
	address netip.AddrPort
	ask     request
	fresh   bool // each request on a connection of its own, until its end
	loop    *loop
	clients []*client // by descriptor
	count   int       // of clients

	unsent  int // requests that no client has taken yet
	pending int // requests that are not done
	outcome outcome
	moved   time.Time // when a request was last done
}

// client is one connection of the load.
type client struct {
	fd     int
	sent   bool      // the request, which waits for the connection to be there
	asking bool      // it has a request to see through
	began  time.Time // the request
	in     []byte
	whole  bool // the reply is; on a fresh connection its end is still to come
}

// outcome is what came of a number of requests.
type outcome struct {
	Latencies []time.Duration // of the good ones
	Errors    map[string]int  // by kind
	Elapsed   time.Duration
	Generator time.Duration // CPU of the generator's thread
}

func (o *outcome) fail(kind string, times int) {
	if o.Errors == nil {
		o.Errors = map[string]int{}
	}
	o.Errors[kind] += times
}

// openLoad opens connections, or, for fresh ones, makes ready to.
func openLoad(address netip.AddrPort, ask request, clients int, fresh bool) (*load, error) {
	l := &load{address: address, ask: ask, fresh: fresh, count: clients}
	var err error
	if l.loop, err = newLoop(); err != nil {
		return nil, err
	}
	for range clients {
		if err := l.connect(&client{in: make([]byte, 0, 4096)}); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *load) close() {
	for _, c := range l.clients {
		if c != nil {
			unix.Close(c.fd)
		}
	}
	l.loop.close()
}

func (l *load) connect(c *client) error {
	fd, err := dialTo(l.address)
	if err != nil {
		return err
	}
	if err := l.loop.add(fd); err != nil {
		unix.Close(fd)
		return err
	}
	for len(l.clients) <= fd {
		l.clients = append(l.clients, nil)
	}
	c.fd, l.clients[fd] = fd, c
	return nil
}

// run does a number of requests.
func (l *load) run(ctx context.Context, requests int) (outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.outcome = outcome{Latencies: make([]time.Duration, 0, requests)}
	l.pending, l.unsent = requests, requests
	began, used := time.Now(), threadTime()
	l.moved = began
	for _, c := range l.clients {
		if c != nil {
			l.next(c, began)
		}
	}
	for l.pending > 0 {
		if err := ctx.Err(); err != nil {
			return l.outcome, errInterrupted
		}
		if time.Since(l.moved) > stallTime {
			l.outcome.fail("no answer within "+stallTime.String(), l.pending)
			break
		}
		if err := l.loop.turn(100*time.Millisecond, l.ready); err != nil {
			return l.outcome, err
		}
	}
	l.outcome.Elapsed, l.outcome.Generator = time.Since(began), threadTime()-used
	return l.outcome, nil
}

// next gives a client a request, if there is one left.
func (l *load) next(c *client, now time.Time) {
	if l.unsent == 0 {
		return
	}
	l.unsent--
	c.asking, c.sent, c.whole, c.began, c.in = true, false, false, now, c.in[:0]
	l.send(c)
}

func (l *load) send(c *client) {
	switch _, err := unix.Write(c.fd, l.ask.bytes); err {
	case nil:
		c.sent = true // whole: the socket's buffer is empty, and the request is small
	case unix.EAGAIN, unix.ENOTCONN:
	default:
		l.done(c, "cannot send: "+err.Error())
	}
}

func (l *load) ready(fd int) {
	c := l.clients[fd]
	if c == nil {
		return // closed within this turn
	}
	if c.asking && !c.sent {
		l.send(c)
		return // what comes back has an event of its own
	}
	for {
		n, err := unix.Read(fd, c.in[len(c.in):cap(c.in)])
		switch {
		case err == unix.EAGAIN:
			return
		case err != nil:
			l.done(c, "cannot read: "+err.Error())
			return
		case n == 0:
			l.ended(c)
			return
		}
		c.in = c.in[:len(c.in)+n]
		if l.got(c) {
			return
		}
	}
}

// ended handles the end of a connection, which on a fresh one is the end of the request.
func (l *load) ended(c *client) {
	switch {
	case !c.asking:
		l.done(c, "closed between two requests")
	case c.whole:
		l.done(c, "")
	default:
		l.done(c, "closed before the whole reply")
	}
}

// got looks at what has come of a reply, and reports whether there is nothing more to read now.
func (l *load) got(c *client) bool {
	whole, wrong := l.ask.check(c.in)
	switch {
	case !c.asking:
		l.done(c, "bytes that nobody asked for")
	case wrong != "":
		l.done(c, wrong)
	case !whole:
		return false
	case l.fresh:
		c.whole = true
		return false
	default:
		l.done(c, "")
	}
	return true
}

// done ends a request, good if there is nothing wrong, and has the client go on with the next.
func (l *load) done(c *client, wrong string) {
	now := time.Now()
	if c.asking {
		l.pending--
		l.moved = now
	}
	if wrong != "" {
		l.outcome.fail(wrong, 1)
	} else {
		l.outcome.Latencies = append(l.outcome.Latencies, now.Sub(c.began))
	}
	c.asking = false
	if wrong != "" || l.fresh {
		unix.Close(c.fd)
		l.clients[c.fd] = nil
		if err := l.connect(c); err != nil {
			l.lost(err)
			return
		}
		now = time.Now()
	}
	l.next(c, now)
}

// lost counts what a client can do no more: its next request, and all the rest if it was the last client.
func (l *load) lost(err error) {
	l.count--
	missed := min(l.unsent, 1)
	if l.count == 0 {
		missed = l.unsent
	}
	l.unsent -= missed
	l.pending -= missed
	l.outcome.fail("cannot connect: "+err.Error(), missed)
}

func threadTime() time.Duration {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
