package netio

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The front is evio's: it accepts, and lets go of each connection at once. It never reads or writes a byte, since evio
// spins on output that a client does not read, and cannot stop reading. One loop is enough for that, and with more of them
// evio spins while one is busy.
//
// evio returns on any accept error. Then it is started again, for another round, after a pause that doubles. The
// listeners are ours: clients that connect between two rounds wait in their queues.
type front struct {
	server *Server
	begun  chan error    // the first round reports here
	quit   chan struct{} // closed by stop
	pings  chan chan<- struct{}
	ended  chan struct{} // closed when there are no more rounds
	err    error         // why, if nobody asked for it; written before ended is closed
	yields atomic.Bool   // what it has accepted is not closed but handed to the loops when it stops

	restarts atomic.Int64
}

const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
	giveUpAt   = 30 * time.Second // without having served

	youth    = 10 * time.Millisecond
	deafness = 5 * time.Second // a loop that does not answer for so long is dead
)

// startFront returns once connections are accepted.
func startFront(s *Server) (*front, error) {
	f := &front{server: s, begun: make(chan error, 1), quit: make(chan struct{}), pings: make(chan chan<- struct{}), ended: make(chan struct{})}
	go f.run()
	if err := <-f.begun; err != nil {
		<-f.ended
		return nil, err
	}
	return f, nil
}

// stop ends the front, and closes the listeners and the connections that evio has not let go of. It may be called once.
func (f *front) stop() {
	close(f.quit)
	<-f.ended
}

// yield is stop, but no connection is closed: each goes to a loop.
func (f *front) yield() {
	f.yields.Store(true)
	f.stop()
}

func (f *front) stopping() bool {
	select {
	case <-f.quit:
		return true
	default:
		return false
	}
}

// run plays round after round until it is stopped.
func (f *front) run() {
	defer close(f.ended)
	pause, lastServed := firstPause, time.Now()
	for first := true; ; first = false {
		served, err := f.round(first)
		if first && !served {
			f.begun <- err
			return // the listeners are still the caller's
		}
		if f.stopping() {
			break
		}
		if served {
			pause, lastServed = firstPause, time.Now()
		} else if time.Since(lastServed) > giveUpAt && !outOfFiles(err) { // whoever is connected is still served
			f.err = fmt.Errorf("cannot accept connections any more: %w", err)
			f.server.options.Log.Error("the front gives up", slog.Any("cause", err))
			break
		}
		f.restarts.Add(1)
		f.server.options.Log.Warn("accepting connections failed and is started again",
			slog.Any("cause", err), slog.Duration("pause", pause))
		time.Sleep(pause)
		pause = min(2*pause, lastPause)
	}
	for _, l := range f.server.options.Listeners {
		l.Close()
	}
}

// round has evio serve once, to its end, and tells whether it came to accepting.
func (f *front) round(first bool) (served bool, err error) {
	r, err := startRound(f)
	if err != nil {
		return false, err
	}
	if err := r.await(r.heard); err != nil {
		return false, err
	}
	// evio misses the end of a loop that ends while it is still starting: its Serve then waits for ever. So nothing is
	// asked of a young loop, not even to accept: it has the bell, and listeners that nobody knows of.
	grown := time.After(youth)
	select {
	case err := <-r.over:
		return false, err
	case <-grown:
	}
	if err := r.ask(); err != nil {
		return false, err
	}
	if err := r.admit(); err != nil {
		r.broken.Store(true)
		r.bell.ring()
		r.await(r.over)
		return false, fmt.Errorf("cannot put a listener under evio: %w", err)
	}
	if first {
		f.begun <- nil
	}
	f.server.guest().inbox.post(message{kind: hostMessage, host: r.lodging})
	for {
		select {
		case err := <-r.over:
			return true, err
		case pinged := <-f.pings:
			if err := r.ask(); err != nil {
				return true, err
			}
			close(pinged)
		case <-f.quit:
			if f.yields.Load() {
				if err := r.empty(); err != nil {
					return true, err
				}
			}
			r.bell.ring() // which it answers by ending
			return true, r.await(r.over)
		}
	}
}

// ping returns when evio's loop has answered. One that is dead does not, and is replaced.
func (f *front) ping(ctx context.Context) error {
	pinged := make(chan struct{})
	select {
	case f.pings <- pinged:
	case <-f.ended:
		return errDeaf
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-pinged:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spareFiles are held open for two purposes. When descriptors have run out, they are what evio needs for its next round.
// And evio closes the number of each of its listeners twice: whoever was given that number between the two would lose
// his socket. So some are opened before evio's, and released just before: it is always the lowest free number that is
// given.
type spareFiles struct {
	mu    sync.Mutex
	fds   []int
	ended bool
}

// decoys are how many are opened first, with the lower numbers: more than anybody opens between two calls of evio.
const decoys = 16

// roundFiles is what a round with n listeners of ours opens, the bell's included: two for each listener, the epoll, the
// eventfd, one to look for listeners, the bell's other end, and some for the first clients.
func roundFiles(n int) int { return 2*(n+1) + 4 + 8 }

// reserve opens files until there are n, or no more to be had.
func (s *spareFiles) reserve(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended && len(s.fds) < n {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		s.fds = append(s.fds, fd)
	}
	return nil
}

// end closes all of them, for good.
func (s *spareFiles) end() {
	s.release(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// release closes them, but for those opened first, of which it keeps so many.
func (s *spareFiles) release(keep int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.fds) > keep {
		last := len(s.fds) - 1
		unix.Close(s.fds[last])
		s.fds = s.fds[:last]
	}
}
