package netio

import (
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// dozing takes from the guest's lodging what ends an absence that nothing else would end (see lodging.look).
func (r *rig) dozing() *lodging {
	r.Helper()
	l := r.guest().host // since the guest is in, this goroutine has seen what it did before
	eventually(r.T, "nobody watches", func() bool { return asleep() && l.watched.CompareAndSwap(false, true) })
	return l
}

// TestGuestAfterStranger has somebody call the bell: evio has to do with him, and its loop must go on for the guest.
func TestGuestAfterStranger(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	r.guestIsIn()
	l := r.dozing()
	c, b := r.atGuest("a", accept)
	name, err := unix.Getsockname(l.bell.listener.fd)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Dial("unix", name.(*unix.SockaddrUnix).Name)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if rest, err := io.ReadAll(stranger); err != nil || len(rest) > 0 {
		t.Errorf("the stranger got %q, %v", rest, err)
	}
	b.send(ok2)
	c.wantReply("GET", 200, "ok")
}

// TestGuestAfterRefusal does so with a client above the hard cap.
func TestGuestAfterRefusal(t *testing.T) {
	address, accept := scripted(t)
	r := newCappedRig(t, address, 16)
	r.guestIsIn()
	r.dozing()
	c, b := r.atGuest("a", accept)
	for r.Counters().Refused == 0 {
		accepted := r.Counters().Accepted
		p := r.dial()
		eventually(t, "it is accepted", func() bool { return r.Counters().Accepted > accepted })
		if r.Counters().Refused > 0 {
			p.wantEnd()
		}
	}
	b.send(ok2)
	c.wantReply("GET", 200, "ok")
}
