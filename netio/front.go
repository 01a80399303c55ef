package netio

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// The front is evio's: it accepts, reads the first head of each connection, and hands the connection to a splicer. It
// never writes a byte, since evio spins on output that a client does not read. One loop is enough for that, and with
// more of them evio spins while one is busy.
type front struct {
	server   *Server
	stopping atomic.Bool
	ended    chan struct{} // closed when evio serves no more
	err      error         // why, if nobody asked for it; written before ended is closed

	restarts     atomic.Int64
	headTimeouts atomic.Int64

	// Below: of the present round of evio, touched on its loop only, or before it runs.
	begun       chan error // the first round reports here, once
	swap        error      // why the listeners could not be put under evio
	served      bool       // the round came to serve
	first, last *arrival   // connections without a whole head, oldest first
	request     request
	turn        int // of the splicers
}

// An arrival is a connection whose first head is not whole.
type arrival struct {
	conn       evio.Conn
	bytes      []byte
	since      time.Time
	overloaded bool
	expired    bool
	next, prev *arrival
}

const (
	tickEvery = 200 * time.Millisecond // how soon the front notices an old head, or that it shall stop

	// evio returns on any accept error. It is started again after a pause that doubles, until it has not served for too long.
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
	giveUpAt   = 30 * time.Second
)

// startFront returns once connections are accepted.
func startFront(s *Server) (*front, error) {
	f := &front{server: s, ended: make(chan struct{}), begun: make(chan error, 1)}
	go f.run()
	if err := <-f.begun; err != nil {
		<-f.ended
		return nil, err
	}
	return f, nil
}

// stop ends the front, and closes the listeners and the connections without a whole head.
func (f *front) stop() {
	f.stopping.Store(true)
	<-f.ended
}

// run serves round after round until it is stopped. The listeners are ours: clients that connect between two rounds wait
// in their queues.
func (f *front) run() {
	defer close(f.ended)
	spare := spareFiles{}
	pause, lastServed := firstPause, time.Now()
	for first := true; ; first = false {
		spare.release()
		err := f.serve(func() { spare.reserve(2*len(f.server.options.Listeners) + 4) })
		spare.release()
		if first && !f.served {
			f.begun <- err
			return
		}
		if f.stopping.Load() {
			break
		}
		if f.served {
			pause, lastServed = firstPause, time.Now()
		}
		if time.Since(lastServed) > giveUpAt {
			f.err = fmt.Errorf("cannot accept connections any more: %w", err)
			f.server.options.Log.Error("the front gives up", slog.Any("cause", err))
			break
		}
		f.restarts.Add(1)
		f.server.options.Log.Warn("accepting connections failed and is started again", slog.Any("cause", err), slog.Duration("pause", pause))
		time.Sleep(pause)
		pause = min(2*pause, lastPause)
	}
	for _, l := range f.server.options.Listeners {
		l.Close()
	}
}

// serve runs evio once, to its end. ready is called when it serves.
func (f *front) serve(ready func()) error {
	f.served, f.swap, f.first, f.last = false, nil, nil, nil
	// evio opens listeners that nobody will ever reach: ours take their places before its loop starts.
	addresses := make([]string, len(f.server.options.Listeners))
	for i := range addresses {
		addresses[i] = "tcp://127.0.0.1:0"
	}
	events := evio.Events{
		NumLoops: 1,
		Serving:  func(s evio.Server) evio.Action { return f.onServing(s, ready) },
		Opened:   f.onOpened,
		Data:     f.onData,
		Detached: f.onDetached,
		Closed:   f.onClosed,
		Tick:     f.onTick,
	}
	err := evio.Serve(events, addresses...)
	switch {
	case f.swap != nil:
		return f.swap
	case err != nil:
		return err
	}
	return errors.New("evio has stopped; it does not say why")
}

func (f *front) onServing(s evio.Server, ready func()) (action evio.Action) {
	defer f.rescue(&action, evio.Shutdown)
	for i, l := range f.server.options.Listeners {
		if f.swap = swapListener(s.Addrs[i], l); f.swap != nil {
			return evio.Shutdown
		}
	}
	ready()
	f.served = true
	select {
	case f.begun <- nil:
	default: // not the first round
	}
	return evio.None
}

func (f *front) onOpened(c evio.Conn) (out []byte, o evio.Options, action evio.Action) {
	defer f.rescue(&action, evio.Close)
	s := f.server
	s.accepted.Add(1)
	clients := s.clients.Add(1)
	if s.sockets.Add(1) > s.limits.hard {
		s.refused.Add(1)
		return nil, o, evio.Close
	}
	a := &arrival{conn: c, since: time.Now(), overloaded: clients > s.limits.soft}
	f.join(a)
	c.SetContext(a)
	o.ReuseInputBuffer = true // what is kept of it is copied
	return nil, o, evio.None
}

// onData collects the first head. Good or bad, a head that is decided goes to a splicer. evio calls it without data
// after a Wake, which is how an old head is ended.
func (f *front) onData(c evio.Conn, in []byte) (out []byte, action evio.Action) {
	defer f.rescue(&action, evio.Close)
	a := c.Context().(*arrival)
	if in == nil {
		if a.expired {
			return nil, evio.Close
		}
		return nil, evio.None
	}
	a.bytes = append(a.bytes, in...)
	if n, err := parseRequest(a.bytes, &f.request); n > 0 || err != nil {
		return nil, evio.Detach
	}
	return nil, evio.None
}

// onDetached hands a connection over: from here on it is the splicer's. That is one line, the call of handOver.
func (f *front) onDetached(c evio.Conn, rwc io.ReadWriteCloser) (action evio.Action) {
	defer f.rescue(&action, evio.None)
	a := c.Context().(*arrival)
	f.leave(a)
	s := f.server
	loop := s.splicers[f.turn%len(s.splicers)]
	f.turn++
	fd := detachedFd(rwc)
	address := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	if errno := loop.handOver(fd, c.AddrIndex(), address, a); errno != 0 {
		sysClose(fd)
		s.clients.Add(-1)
		s.sockets.Add(-1)
		s.options.Log.Error("cannot take over a connection", slog.Any("cause", errno))
	}
	return evio.None
}

func (f *front) onClosed(c evio.Conn, _ error) (action evio.Action) {
	defer f.rescue(&action, evio.None)
	if a, ok := c.Context().(*arrival); ok {
		f.leave(a)
	}
	f.server.clients.Add(-1)
	f.server.sockets.Add(-1)
	return evio.None
}

// onTick ends the connections whose head takes too long. They are in the order in which they came.
func (f *front) onTick() (delay time.Duration, action evio.Action) {
	delay = tickEvery
	defer f.rescue(&action, evio.None)
	if f.stopping.Load() {
		return delay, evio.Shutdown
	}
	for a := f.first; a != nil && time.Since(a.since) > f.server.options.Timeouts.Head; a = f.first {
		f.leave(a)
		f.headTimeouts.Add(1)
		a.expired = true
		a.conn.Wake()
	}
	return delay, evio.None
}

// rescue keeps a panic from ending the process: evio has nobody else to catch it.
func (f *front) rescue(action *evio.Action, then evio.Action) {
	if cause := recover(); cause != nil {
		f.server.options.Log.Error("panic in the front", slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
		*action = then
	}
}

func (f *front) join(a *arrival) {
	if a.prev = f.last; a.prev != nil {
		a.prev.next = a
	} else {
		f.first = a
	}
	f.last = a
}

// leave takes a out of the list, if it is there.
func (f *front) leave(a *arrival) {
	switch {
	case a.prev != nil:
		a.prev.next = a.next
	case f.first == a:
		f.first = a.next
	default:
		return
	}
	if a.next != nil {
		a.next.prev = a.prev
	} else {
		f.last = a.prev
	}
	a.next, a.prev = nil, nil
}

// spareFiles are kept open for evio's next round, which needs some when descriptors have run out.
type spareFiles struct{ fds []int }

func (s *spareFiles) reserve(n int) {
	for range n {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		s.fds = append(s.fds, fd)
	}
}

func (s *spareFiles) release() {
	for _, fd := range s.fds {
		unix.Close(fd)
	}
	s.fds = nil
}

// trusts tells whether an address is among the trusted proxies.
func (o *Options) trusts(a netip.Addr) bool {
	for _, p := range o.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
