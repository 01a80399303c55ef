package probe

import (
	"context"
	"net/netip"
	"time"
)

// insistEvery is after how long, at first, a try does not believe the kernel.
const insistEvery = 50 * time.Millisecond

// vain tells that a try would find nobody at any address, and saves it: most tries
// are of that kind.
func (w *waiter) vain() bool {
	if k := w.check.Kind; k != TCP && k != GRPC && k != Redis || len(w.addresses) == 0 {
		return false
	}
	for _, address := range w.addresses {
		if w.known(w.door(address)) != nobody {
			return false
		}
	}
	if w.absent == nil {
		var failures []error
		for _, address := range w.addresses {
			failures = append(failures, &nobodyListens{w.door(address)})
		}
		w.absent = summary(failures)
	}
	w.last = w.absent
	return true
}

// known is what the kernel knows of an address, in a try that believes it.
func (w *waiter) known(address string) finding {
	if at, err := netip.ParseAddrPort(address); w.trusting && err == nil && at.Addr().IsLoopback() {
		return lookUp(at)
	}
	return unknown
}

// reach connects to an address, unless it is known that this would be refused.
func reach(ctx context.Context, address string, known finding) (socket, error) {
	if known == nobody {
		return -1, &nobodyListens{address}
	}
	return connect(ctx, address)
}

// insist has the next try connect whatever the kernel knows of listeners, if none
// has done so for a while: a packet filter can lead elsewhere what is sent to this
// machine, as Docker's rules do where it uses no proxy.
func (w *waiter) insist(elapsed time.Duration) {
	w.trusting = elapsed < w.insists
	if !w.trusting {
		w.insists = elapsed + max(insistEvery, elapsed/10)
	}
}
