package keeper

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

const (
	// helloTimeout is how long a connection may take to say what it is.
	helloTimeout = 5 * time.Second
	// writeTimeout is how long an engine may leave its socket unread: it is
	// stopped or hangs. Cut off, it connects again when it goes on.
	writeTimeout = 30 * time.Second
)

// engine is the keeper's end of the connection with an engine.
type engine struct {
	wire
	pid int
	// outbox is what is to be written, in order. Nobody who holds the
	// server's lock waits for an engine to read.
	mu     sync.Mutex
	outbox []frame
	last   func() // called when the outbox was written for the last time
	filled chan struct{}
	closed chan struct{}
	// released is closed when its place is free for another engine.
	released chan struct{}
}

func newEngine(conn *net.UnixConn, pid int) *engine {
	return &engine{
		wire: newWire(conn), pid: pid,
		filled: make(chan struct{}, 1),
		closed: make(chan struct{}),

		released: make(chan struct{}),
	}
}

// send queues a frame.
func (e *engine) send(f frame) { e.sendLast(f, nil) }

// sendLast queues a frame, and calls after once it and all before it were
// written, or cannot be.
func (e *engine) sendLast(f frame, after func()) {
	e.mu.Lock()
	e.outbox = append(e.outbox, f)
	if after != nil {
		e.last = after
	}
	e.mu.Unlock()
	select {
	case e.filled <- struct{}{}:
	default:
	}
}

// drain writes the outbox until the connection is closed.
func (e *engine) drain() {
	for open := true; open; {
		select {
		case <-e.filled:
		case <-e.closed:
			open = false // what was sent until now is still taken below
		}
		e.mu.Lock()
		frames, last := e.outbox, e.last
		e.outbox, e.last = nil, nil
		e.mu.Unlock()
		for _, f := range frames {
			e.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			err := e.write(f)
			if err != nil && !errors.Is(err, unix.EPIPE) {
				e.conn.Close()
			}
			if err != nil {
				// Of EPIPE the reader hears too, after it has read what the
				// engine said last.
				break
			}
		}
		if last != nil {
			last()
		}
	}
}

// hungUp tells whether the other end has closed, perhaps before we read so.
func (e *engine) hungUp() bool {
	raw, err := e.conn.SyscallConn()
	if err != nil {
		return true
	}
	gone := true
	raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds, 0)
		gone = err == nil && n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLRDHUP) != 0
	})
	return gone
}

// accept serves connections until the listener is closed.
func (s *server) accept(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely: that passes.
			s.log.Error("cannot accept", "cause", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go s.serve(conn)
	}
}

// serve is the life of a connection.
func (s *server) serve(conn *net.UnixConn) {
	defer conn.Close()
	who, err := statedir.Peer(conn)
	if err != nil {
		s.log.Warn("connection refused", "cause", err)
		return
	}
	e := newEngine(conn, int(who.Pid))
	if err := s.greet(e); err != nil {
		s.log.Warn("connection refused", "pid", e.pid, "cause", err)
		return
	}
	s.log.Info("engine connected", "pid", e.pid)
	go e.drain()
	for {
		f, err := e.read()
		if err == nil {
			err = s.take(e, f)
		}
		if err != nil {
			s.log.Info("engine disconnected", "pid", e.pid, "cause", err)
			break
		}
	}
	close(e.closed)
	s.release(e)
}

// greet exchanges hellos and makes e the connected engine.
func (s *server) greet(e *engine) error {
	e.conn.SetDeadline(time.Now().Add(helloTimeout))
	defer e.conn.SetDeadline(time.Time{})
	f, err := e.read()
	if err != nil {
		return err
	}
	if f.Do != doHello || f.Hello == nil {
		return errors.New("no hello")
	}
	failpoint.Reached("keeper.greeted")
	answer := frame{Do: doHello, Hello: &hello{Oldest: oldestProtocol, Newest: newestProtocol, Instance: s.instance}}
	if _, err := f.Hello.speak(); err != nil {
		answer.Failure = &failure{Kind: failedVersion, Message: err.Error()}
		return errors.Join(err, e.write(answer))
	}
	return s.claim(e, answer)
}

// claim makes e the one engine of this keeper and answers its hello.
func (s *server) claim(e *engine, answer frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.engine != nil {
		other := s.engine
		if !other.hungUp() {
			answer.Failure = &failure{Kind: failedBusy, Message: "busy", Pid: other.pid}
			return errors.Join(fmt.Errorf("engine %d is connected", other.pid), e.write(answer))
		}
		// It is dead, but what it said last may not have been read yet.
		s.mu.Unlock()
		<-other.released
		s.mu.Lock()
	}
	if s.leaving {
		return errLeaving
	}
	s.engine = e
	s.linger.Stop()
	failpoint.Reached("keeper.claimed")
	answer.Processes = s.list()
	e.send(answer)
	for _, n := range s.notices {
		e.send(n.frame())
	}
	return nil
}

// release forgets a connection that ended.
func (s *server) release(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == e {
		s.engine = nil
		s.considerLeaving()
	}
	close(e.released)
}

// take handles one frame of the engine. What may take long is done by a
// goroutine of its own. An error closes the connection.
func (s *server) take(e *engine, f frame) error {
	switch {
	case f.Do == doLaunch && f.Launch != nil:
		go s.launch(e, f.ID, f.Launch)
	case f.Do == doSignal && f.Process != nil:
		go func() { e.send(reply(f.ID, s.signal(*f.Process, f.Signal))) }()
	case f.Do == doList:
		s.mu.Lock()
		e.send(frame{Do: doReply, ID: f.ID, Processes: s.list()})
		s.mu.Unlock()
	case f.Do == doAdopt:
		s.adopt(f.Processes)
		e.send(reply(f.ID, nil))
	case f.Do == doShutdown:
		s.shutdown(e, f.ID)
	case f.Do == doAck:
		s.acknowledge(f.Seq)
	default:
		return fmt.Errorf("malformed frame: nothing known is asked by %q", f.Do)
	}
	return nil
}

// reply is the answer to a request that yields nothing but success or err.
func reply(id uint64, err error) frame {
	return frame{Do: doReply, ID: id, Failure: asFailure(err)}
}
