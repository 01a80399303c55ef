package actors

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"dynapm/actors/probe"
)

// A service that lives and listens no more is ended, whatever said that it was ready.
func TestReadyServiceThatRefuses(t *testing.T) {
	for _, check := range []probe.Check{{}, {Kind: probe.None}} {
		h := newHouse(t)
		spec, close := h.speaker("deaf", check)
		spec.StartTimeout = 2 * time.Second
		v := h.system.Spawn(spec)
		g := h.wake(v)
		g.Release()
		h.until(func() bool { return probe.Listening(spec.Address) })
		v.Refused(g) // it is there: nothing follows
		close()
		h.until(func() bool { return !probe.Listening(spec.Address) })
		// A look that began before may have passed; then the next refused request has another.
		h.until(func() bool {
			v.Refused(g)
			return h.status(v).State != StateReady
		})
		failed, _ := h.wait(0, StateFailed)
		if !strings.Contains(failed.Reason, "nothing listens on "+spec.Address) {
			t.Errorf("failed, since %q", failed.Reason)
		}
	}
}

// A delegated service that somebody else has ended is known to be gone, and the next request starts it.
func TestDelegatedServiceThatRefuses(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	v := h.system.Spawn(h.daemon(address))
	g := h.wake(v)
	g.Release()
	if err := syscall.Kill(askPid(t, address), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return !probe.Listening(address) })
	h.until(func() bool {
		v.Refused(g)
		return h.status(v).State != StateReady
	})
	h.diedOf("nothing listens")
	again := h.wake(v)
	defer again.Release()
	if again.Run() != 2 {
		t.Errorf("run %d", again.Run())
	}
}
