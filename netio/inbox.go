package netio

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

type messageKind uint8

const (
	grantMessage  messageKind = iota // waiter
	refuseMessage                    // waiter, answer
	retireMessage                    // backend, cut
	drainMessage                     // replies get Connection: close, the loop ends with its last connection
	cutMessage                       // the loop ends now
	yieldMessage                     // heir: clients go to the heir
	pingMessage                      // what is of interest is that it was handled
	bridgeMessage                    // bridge
	hostMessage                      // host: where to move in
)

// A message is what other goroutines tell a loop.
type message struct {
	kind    messageKind
	cut     bool
	waiter  *Waiter
	backend *Backend
	bridge  *bridge
	answer  Answer
	heir    Heir
	host    *lodging
	done    *countdown // told when it has been handled; nil: nobody wants to know
}

// An inbox brings messages to one loop and wakes it by an eventfd. The eventfd is edge-triggered, so nobody reads it.
type inbox struct {
	mu     sync.Mutex
	queue  []message
	spare  []message // the queue's storage of the round before
	event  int
	closed bool
}

func newInbox() (*inbox, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &inbox{event: fd}, nil
}

// post hands m to the loop. It returns false once the loop has ended.
func (b *inbox) post(m message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, m)
	if len(b.queue) == 1 {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		unix.Write(b.event, one[:])
	}
	return true
}

// take returns what was posted. The slice is good until the next take.
func (b *inbox) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.queue
	clear(b.spare)
	b.queue, b.spare = b.spare[:0], taken
	return taken
}

// close ends the inbox and returns what nobody took.
func (b *inbox) close() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	unix.Close(b.event)
	return b.queue
}

// A countdown closes its channel when every loop has reported.
type countdown struct {
	left   atomic.Int32
	closed chan struct{}
}

func newCountdown(n int) *countdown {
	c := &countdown{closed: make(chan struct{})}
	c.left.Store(int32(n))
	return c
}

func (c *countdown) report() {
	if c.left.Add(-1) == 0 {
		close(c.closed)
	}
}
