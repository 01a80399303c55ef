package netio

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// A round is one run of evio's Serve. Its methods on* are the callbacks, which evio calls on its one loop.
type round struct {
	front   *front
	bell    *bell
	lodging *lodging
	spare   spareFiles
	over    chan error // evio's Serve has returned
	heard   chan error // the loop has heard the bell; not nil: the listeners could not be put under evio

	places  atomic.Pointer[[][]int] // evio's descriptors of each listener, once all are known
	opened  atomic.Int64            // connections that evio has shown and not let go
	emptied atomic.Bool             // evio has nothing more to give to the loops
	broken  atomic.Bool             // the round is to end before it has begun
}

// startRound has evio serve in a goroutine of its own. It is not begun without the descriptors for all of it: evio that
// finds none while it starts waits for ever.
func startRound(f *front) (*round, error) {
	listeners := f.server.options.Listeners
	r := &round{front: f, over: make(chan error, 1), heard: make(chan error, 1)}
	if err := r.spare.reserve(decoys + roundFiles(len(listeners))); err != nil {
		r.spare.release(0)
		return nil, fmt.Errorf("cannot open what evio needs: %w", err)
	}
	var err error
	if r.bell, err = newBell(); err != nil {
		r.spare.release(0)
		return nil, err
	}
	r.spare.release(decoys)
	r.lodging = newLodging(r.bell)
	// evio opens listeners that nobody will ever reach: the bell takes the place of one before the loop starts, ours those
	// of the others when it has begun.
	addresses := make([]string, len(listeners)+1)
	for i := range addresses {
		addresses[i] = "tcp://127.0.0.1:0"
	}
	events := evio.Events{
		NumLoops: 1, Serving: r.onServing, Opened: r.onOpened, Data: r.onData, Detached: r.onDetached, Closed: r.onClosed,
	}
	go func() {
		err := evio.Serve(events, addresses...)
		r.giveBack()
		select {
		case err = <-r.heard: // why Serving has refused, or nothing of interest
		default:
		}
		if err == nil {
			err = errors.New("evio has stopped; it does not say why")
		}
		r.over <- err
	}()
	return r, nil
}

var errDeaf = errors.New("evio does not answer")

// await waits for a word of the loop, or for its end. A loop that is dead is left to itself, without the listeners and
// all that the round has opened for it. One that is dead because a turn of the guest does not end is not survived:
// the guest moves out behind that turn, and giveBack waits for it.
func (r *round) await(word <-chan error) error {
	select {
	case err := <-word:
		return err
	case err := <-r.over:
		return err
	case <-time.After(deafness):
		for _, fd := range slices.Concat(r.placed()...) {
			unix.Dup3(r.bell.client, fd, unix.O_CLOEXEC)
		}
		r.giveBack()
		return errDeaf
	}
}

// ask rings the bell, and returns when the loop has heard it. A word about an earlier ring, by somebody who does not wait
// for one, says nothing of the loop as it is now.
func (r *round) ask() error {
	select {
	case <-r.heard:
	default:
	}
	r.bell.ring()
	return r.await(r.heard)
}

// giveBack closes what the round has opened, and has the guest move out.
func (r *round) giveBack() {
	r.spare.end()
	r.bell.close()
	r.lodging.close()
}

func (r *round) onServing(s evio.Server) (action evio.Action) {
	defer r.rescue(&action, evio.Shutdown)
	var places [][]int
	for i, address := range s.Addrs {
		fds, err := placesOf(address)
		for _, fd := range fds {
			if i == 0 && err == nil {
				err = r.bell.listener.over(fd)
			}
		}
		if err != nil {
			r.heard <- fmt.Errorf("cannot put a listener under evio: %w", err)
			return evio.Shutdown
		}
		places = append(places, fds)
	}
	r.places.Store(&places)
	return evio.None
}

// placed is empty until evio has shown its listeners. A round that is given up may not have come so far.
func (r *round) placed() [][]int {
	if places := r.places.Load(); places != nil {
		return *places
	}
	return nil
}

// admit puts our listeners under evio. Its loop has begun: it may come to an end without harm (see front.round), which
// it does if there are no descriptors for those who call.
func (r *round) admit() error {
	watched, err := watchedBy(r.lodging.epoll)
	if err != nil {
		return err
	}
	for i, l := range r.front.server.options.Listeners {
		for _, fd := range r.placed()[i+1] {
			if err := l.over(fd); err != nil {
				return err
			}
			if !slices.Contains(watched, fd) {
				continue
			}
			if errno := sysWatch(r.lodging.epoll, fd); errno != 0 { // the place is the same, but not what is there
				return errno
			}
		}
	}
	return nil
}

// onOpened has evio let go of every connection but the bell at once. One that is not to be served gets no client, and is
// closed in onDetached: evio would close it without calling anybody who may host.
func (r *round) onOpened(c evio.Conn) (out []byte, o evio.Options, action evio.Action) {
	defer r.rescue(&action, evio.Close)
	s := r.front.server
	if c.AddrIndex() == 0 {
		r.lodging.epoll = epollOf(c)
		return nil, o, r.onBell(c)
	}
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil, o, evio.Detach // a stranger to the bell, in whose place its listener was put (see empty)
	}
	s.accepted.Add(1)
	if s.sockets.Load() >= s.limits.hard || connFd(c) >= s.limits.lastFile {
		s.refused.Add(1)
		return nil, o, evio.Detach
	}
	c.SetContext(s.newClient(c.AddrIndex()-1, remote.AddrPort().Addr().Unmap().WithZone("")))
	r.opened.Add(1)
	return nil, o, evio.Detach
}

// onBell is called when the bell comes, and each time it is rung.
func (r *round) onBell(c evio.Conn) evio.Action {
	if !r.bell.is(c) {
		return evio.Detach // a stranger that has found our abstract socket
	}
	// What cannot be had now may be had when the next round begins.
	_ = r.spare.reserve(decoys + roundFiles(len(r.front.server.options.Listeners)))
	select {
	case r.heard <- nil:
	default:
	}
	if r.broken.Load() || r.front.stopping() && (r.emptied.Load() || !r.front.yields.Load()) {
		return evio.Shutdown
	}
	return evio.None
}

// onData is called for the bell alone.
func (r *round) onData(c evio.Conn, _ []byte) (out []byte, action evio.Action) {
	defer r.rescue(&action, evio.Close)
	if action = r.onBell(c); action == evio.None {
		r.lodging.welcome()
		r.lodging.host(false)
	}
	return nil, action
}

// onDetached hands a connection over: from here on it is a splicer's.
func (r *round) onDetached(c evio.Conn, rwc io.ReadWriteCloser) (action evio.Action) {
	defer r.rescue(&action, evio.None)
	r.handOn(c, rwc)
	r.lodging.host(r.opened.Load() > 0)
	return evio.None
}

// handOn gives a connection to the guest or, if there is none, to another loop, and closes one that is nobody's.
func (r *round) handOn(c evio.Conn, rwc io.ReadWriteCloser) {
	handed := false
	defer func() {
		if !handed {
			rwc.Close()
		}
	}()
	client, ok := c.Context().(*client)
	if !ok {
		return
	}
	r.opened.Add(-1)
	s, fd := r.front.server, detachedFd(rwc)
	if handed = r.lodging.receive(client, fd); handed {
		return
	}
	errno := s.nextLoop().handOver(client, fd)
	if handed = errno == 0; !handed {
		s.uncount()
		s.options.Log.Error("cannot take over a connection", slog.Any("cause", errno))
	}
}

func (r *round) onClosed(c evio.Conn, _ error) (action evio.Action) {
	defer r.rescue(&action, evio.None)
	if r.bell.lost(c) {
		r.spare.end() // the loop ends
	}
	if _, ok := c.Context().(*client); ok { // else it is nobody's, or was never opened
		r.opened.Add(-1)
		r.front.server.uncount()
	}
	return evio.None
}

// rescue keeps a panic from ending the process: evio has nobody else to catch it.
func (r *round) rescue(action *evio.Action, then evio.Action) {
	if cause := recover(); cause != nil {
		r.front.server.options.Log.Error("panic in the front",
			slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
		*action = then
	}
}
