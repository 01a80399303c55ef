package takeover

import "sync"

// Successor is the engine that takes the place of this one, as that sees it. Its methods may be called from any
// goroutine and do not wait, but for Close.
type Successor struct {
	Pid  int
	wire *wire

	mu     sync.Mutex
	queue  []packet
	closed bool
	filled chan struct{}
	ended  chan struct{} // closed when all was sent, or cannot be
}

func newSuccessor(w *wire) *Successor {
	s := &Successor{Pid: w.pid, wire: w, filled: make(chan struct{}, 1), ended: make(chan struct{})}
	go s.deliver()
	return s
}

// Gone tells whether it has left, or has ended in another way.
func (s *Successor) Gone() bool { return s.wire.gone() }

// Refuse tells why it cannot have the place after all, in place of Yours, and ends the connection.
func (s *Successor) Refuse(reason string) {
	s.say(packet{Do: doRefused, Reason: reason})
	s.Close()
}

// Hand gives a client away. Its descriptor is the successor's from here on.
func (s *Successor) Hand(c Client) {
	s.post(packet{Do: doClient, Listener: c.Listener, Bytes: c.Bytes, FD: c.FD})
}

// Yours tells that the place is free, and which services have requests that this engine still serves.
func (s *Successor) Yours(shared []Use) {
	for _, u := range shared {
		s.say(packet{Do: doShared, Service: u.Service, Holding: u.Holding, Passive: u.Passive})
	}
	s.say(packet{Do: doYours})
}

// Free tells how much is left of a use that was named by Yours.
func (s *Successor) Free(left Use) {
	s.say(packet{Do: doFree, Service: left.Service, Holding: left.Holding, Passive: left.Passive})
}

// Close sends what is still to be sent and ends the connection.
func (s *Successor) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.signal()
	<-s.ended
}

// say posts a packet without a descriptor.
func (s *Successor) say(p packet) {
	p.FD = -1
	s.post(p)
}

func (s *Successor) post(p packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		p.drop()
		return
	}
	s.queue = append(s.queue, p)
	s.signal()
}

func (s *Successor) signal() {
	select {
	case s.filled <- struct{}{}:
	default:
	}
}

// deliver sends what is queued. A client that cannot be sent any more is closed: its next engine has died, or stands still
// and is not waited for.
func (s *Successor) deliver() {
	defer close(s.ended)
	defer s.wire.conn.Close()
	var broken error
	for range s.filled {
		s.mu.Lock()
		queue, closed := s.queue, s.closed
		s.queue = nil
		s.mu.Unlock()
		for _, p := range queue {
			if broken == nil {
				broken = s.wire.send(p)
			}
			p.drop()
		}
		if closed {
			return
		}
	}
}
