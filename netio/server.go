package netio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// A Server serves clients on its listeners until Drain or Close.
type Server struct {
	options  Options
	limits   limits
	table    table
	splicers []*splicer // the guest is the last
	front    *front

	generation atomic.Uint32
	clients    atomic.Int64 // client connections, evio's included
	sockets    atomic.Int64 // those, the connections to backends, and the descriptors of pipes
	pipes      atomic.Int64
	accepted   atomic.Int64
	refused    atomic.Int64  // by the hard cap
	turn       atomic.Uint32 // of the loops, for the next client

	stopFront sync.Once
	beside    sync.WaitGroup  // goroutines that the loops have started: bridges, and lines of the log
	life      context.Context // of the bridges
	kill      context.CancelFunc
}

// Serve starts a Server and returns once it accepts. On an error the listeners still belong to the caller.
func Serve(o Options) (*Server, error) {
	if o.Admission == nil {
		return nil, errors.New("cannot serve: no Admission is given")
	}
	if len(o.Listeners) == 0 {
		return nil, errors.New("cannot serve: no listener is given")
	}
	return serve(o.withDefaults(), o.limits())
}

func serve(o Options, l limits) (*Server, error) {
	s := &Server{options: o, limits: l}
	s.life, s.kill = context.WithCancel(context.Background())
	for i := range s.options.Splicers + 1 {
		loop, err := newSplicer(s, max(s.options.Splicers, i+1))
		if err != nil {
			s.endLoops()
			return nil, fmt.Errorf("cannot start an event loop: %w", err)
		}
		s.splicers = append(s.splicers, loop)
		go loop.run()
	}
	front, err := startFront(s)
	if err != nil {
		s.endLoops()
		return nil, err
	}
	s.front = front
	return s, nil
}

// guest is the front's own loop.
func (s *Server) guest() *splicer { return s.splicers[s.options.Splicers] }

// nextLoop is the one that gets the next client.
func (s *Server) nextLoop() *splicer {
	return s.splicers[s.turn.Add(1)%uint32(s.options.Splicers)]
}

// Retire closes the pooled connections of b, whose run is over, and pools none of them any more. With cut it also ends
// each request and tunnel on b: with 502 before the head of the reply, by breaking the connection after it. The channel
// is closed when all loops have done so. Any goroutine may call it.
func (s *Server) Retire(b *Backend, cut bool) <-chan struct{} {
	b.retired.Store(true)
	if cut {
		b.cut.Store(true)
	}
	done := newCountdown(len(s.splicers))
	for _, loop := range s.splicers {
		if !loop.inbox.post(message{kind: retireMessage, backend: b, cut: cut, done: done}) {
			done.report()
		}
	}
	return done.closed
}

// Ping returns when the front and every loop have answered: nil says that the server works, not that it has little to do.
func (s *Server) Ping(ctx context.Context) error {
	if err := s.front.ping(ctx); err != nil {
		return fmt.Errorf("the front does not answer: %w", err)
	}
	for i, loop := range s.splicers {
		done := newCountdown(1)
		if !loop.inbox.post(message{kind: pingMessage, done: done}) {
			return fmt.Errorf("loop %d has ended", i)
		}
		select {
		case <-done.closed:
		case <-ctx.Done():
			return fmt.Errorf("loop %d does not answer: %w", i, ctx.Err())
		}
	}
	return nil
}

// Counters returns the sums over all loops.
func (s *Server) Counters() Counters {
	c := Counters{
		Accepted:    s.accepted.Load(),
		Connections: s.clients.Load(),
		Refused:     s.refused.Load(),
	}
	c.Errors.Accept = s.front.restarts.Load()
	for _, loop := range s.splicers {
		loop.tally.addTo(&c)
	}
	return c
}

// Drain stops accepting, closes the listeners and the clients that are between requests, and returns when the last
// request has ended. If ctx ends first, what is left is cut, and its error returned if a request was among that.
func (s *Server) Drain(ctx context.Context) error {
	s.stop()
	s.post(drainMessage)
	var err error
	for _, loop := range s.splicers {
		select {
		case <-loop.ended:
		case <-ctx.Done():
			loop.inbox.post(message{kind: cutMessage})
			if <-loop.ended; loop.severed {
				err = ctx.Err()
			}
		}
	}
	defer context.AfterFunc(ctx, s.kill)()
	s.beside.Wait()
	return err
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.stop()
	s.endLoops()
	s.kill()
	s.beside.Wait()
	return nil
}

// stop ends the front: after it nothing is handed to the loops but by the guest.
func (s *Server) stop() {
	s.stopFront.Do(func() { s.front.stop() })
}

func (s *Server) endLoops() {
	s.post(cutMessage)
	for _, loop := range s.splicers {
		<-loop.ended
	}
}

// post tells all loops that the end has come, first the guest: when it knows, it passes no client on to the others, who
// may be gone.
func (s *Server) post(kind messageKind) {
	for i, loop := range slices.Backward(s.splicers) {
		done := newCountdown(1)
		if loop.inbox.post(message{kind: kind, done: done}) && i == s.options.Splicers {
			<-done.closed
		}
	}
}

// Done is closed when the server accepts no more: after Drain or Close, or because the front ended by itself (see Err).
func (s *Server) Done() <-chan struct{} { return s.front.ended }

// Err tells why the front ended by itself; nil as long as it runs, and after Drain and Close.
func (s *Server) Err() error {
	select {
	case <-s.front.ended:
		return s.front.err
	default:
		return nil
	}
}
