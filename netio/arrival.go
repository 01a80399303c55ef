package netio

import (
	"sync/atomic"
	"time"

	"github.com/tidwall/evio"
)

// An arrival is a connection whose first head is not whole.
type arrival struct {
	conn       evio.Conn
	bytes      []byte
	since      time.Time
	overloaded bool
	expired    atomic.Bool
	next, prev *arrival
}

// join puts a at the end of the line, and has the sweeper come when its time is up.
func (r *round) join(a *arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.prev = r.last; a.prev != nil {
		a.prev.next = a
	} else {
		r.first = a
	}
	r.last = a
	if !r.sweeping {
		r.sweeping = true
		r.sweeper.Reset(r.front.server.options.Timeouts.Head)
	}
}

// leave takes a out of the line, if it is there.
func (r *round) leave(a *arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlink(a)
}

func (r *round) unlink(a *arrival) {
	switch {
	case a.prev != nil:
		a.prev.next = a.next
	case r.first == a:
		r.first = a.next
	default:
		return
	}
	if a.next != nil {
		a.next.prev = a.prev
	} else {
		r.last = a.prev
	}
	a.next, a.prev = nil, nil
}

// sweep ends the connections whose head takes too long. It is not evio's Tick: the ticker of a Serve that has returned
// wakes its loop once more, by writing eight bytes to a descriptor that by then may be a client's socket.
func (r *round) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.front.server.options.Timeouts.Head
	for a := r.first; a != nil; a = r.first {
		if left := limit - time.Since(a.since); left > 0 {
			r.sweeper.Reset(left)
			return
		}
		r.unlink(a)
		r.front.headTimeouts.Add(1)
		a.expired.Store(true)
		a.conn.Wake()
	}
	r.sweeping = false
}
