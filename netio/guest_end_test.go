package netio

import (
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A held rig's guest is held up on its own goroutine: its front has ended. goOn has it go on, in the middle of a turn.
type held struct {
	*rig
	goOn chan struct{}
}

// holdGuest does so at the end of a request. Services other than the one that it needs for that are echo.
func holdGuest(t *testing.T) *held {
	t.Helper()
	reached := make(chan struct{})
	var armed atomic.Bool
	h := &held{goOn: make(chan struct{})}
	log := func(o *Options) {
		o.RequestLog = func(e *Entry) {
			if e.Host == "hold" && armed.Load() {
				close(reached)
				<-h.goOn
			}
		}
	}
	h.rig = newRig(t, echo(t), log)
	address, accept := scripted(t)
	h.gates.add(t, "hold", address)
	h.guestIsIn()
	_, b := h.atGuest("hold", accept)
	h.stop()
	armed.Store(true)
	b.send(ok2)
	<-reached
	return h
}

// arrive gives the guest, while it is held up, a client that has said that.
func (h *held) arrive(said string) *peer {
	h.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	defer l.Close()
	h.listener.addr = l.Addr().(*net.TCPAddr).AddrPort()
	p := h.dial()
	p.send(said)
	a, err := l.Accept()
	if err != nil {
		h.Fatal(err)
	}
	defer a.Close()
	f, err := a.(*net.TCPConn).File()
	if err != nil {
		h.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		h.Fatal(err)
	}
	h.guest().receive(h.newClient(0, h.listener.addr.Addr()), fd)
	return p
}

// drain begins to drain and returns when the guest was told, and with any other loop that ends before it, when that has.
func (h *held) drain() <-chan error {
	h.Helper()
	drained := make(chan error, 1)
	go func() { drained <- h.Drain(h.Context()) }()
	eventually(h.T, "the guest is told to drain", h.guest().inbox.holdsMail)
	// A loop that was told before answers the second when it has ended.
	for _, loop := range h.splicers[:h.options.Splicers] {
		loop.pingTwice()
	}
	return drained
}

// holdsMail tells whether there is any that the loop has not taken.
func (b *inbox) holdsMail() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0
}

// pingTwice returns when the loop has handled all events that there were, or has ended.
func (s *splicer) pingTwice() {
	for range 2 {
		if done := newCountdown(1); s.inbox.post(message{kind: pingMessage, done: done}) {
			<-done.closed
		}
	}
}

// TestGuestHearsOfTheEndFirst checks that a client of the guest that is for another loop is still served when the server
// drains: that loop does not end before the guest knows.
func TestGuestHearsOfTheEndFirst(t *testing.T) {
	h := holdGuest(t)
	c := h.arrive(get("/"))
	drained := h.drain()
	close(h.goOn)
	if resp := c.wantReply("GET", 200, "GET a.example / []"); !resp.Close {
		t.Errorf("the client is not told that the connection closes: %v", resp.Header)
	}
	c.wantEnd()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestGuestKeepsWhomItHas checks that a client whose head becomes whole while the guest drains, and later than the guest
// waits otherwise, is served.
func TestGuestKeepsWhomItHas(t *testing.T) {
	h := holdGuest(t)
	c := h.arrive("GET / HTTP/1.1\r\n")
	close(h.goOn)
	h.guest().pingTwice()
	drained := make(chan error, 1)
	go func() { drained <- h.Drain(t.Context()) }()
	c.SetReadDeadline(time.Now().Add(short))
	if _, err := c.r.Peek(1); !os.IsTimeout(err) {
		t.Fatalf("before its head is whole the client gets %v", err)
	}
	c.SetReadDeadline(time.Now().Add(patience))
	c.send("Host: a.example\r\n\r\n")
	c.wantReply("GET", 200, "GET a.example / []")
	c.wantEnd()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestGuestTrickled checks that the patience with a head is not begun anew with each of its bytes, and that a client whose
// head does not become whole is ended by another loop.
func TestGuestTrickled(t *testing.T) {
	h := holdGuest(t)
	p := h.arrive("G")
	g := h.guest() // which is held up: it is the test that has it turn
	g.handleArrived()
	c := g.clients
	deadline := c.timer.deadline
	p.send("E")
	eventually(t, "the byte is here", func() bool { _, errno := sysPeek(c.fd); return errno == 0 })
	g.now += int64(guestPatience) / 2
	c.readable = true
	c.run()
	if len(bytesOf(c.in)) != 2 || c.timer.deadline != deadline || deadline == 0 {
		t.Errorf("with %q there the deadline is %d, it was %d", bytesOf(c.in), c.timer.deadline, deadline)
	}
	c.waits -= int64(h.options.Timeouts.Head) // by which its time is over, for any loop but the guest
	close(h.goOn)
	p.wantEnd()
	if n := h.guest().tally.headTimeout.Load(); n != 0 || h.Counters().Errors.HeadTimeout != 1 {
		t.Errorf("the guest has ended %d, all loops %d", n, h.Counters().Errors.HeadTimeout)
	}
}
