package actors

import (
	"slices"
	"time"
)

// settleDown lets everything that is under way end. Then everything can be taken down, and nothing is left.
func (r *room) settleDown() {
	for r.deliver() {
	}
	for _, t := range r.tenants {
		if t.v.legacy.last.Memory.Held { // what depends on it would try for ever
			p := r.orderer(t, false)
			p.gives(Start{p.order, time.Now()})
		}
	}
	r.keepHours(true)
	if !r.untilQuiet("everything to come to rest", (*tenant).rests) {
		return
	}
	r.keepHours(false)
	if !r.untilQuiet("everything to come to rest out of hours", (*tenant).rests) {
		return
	}
	if r.untilQuiet("everything to be taken down", (*tenant).isTakenDown) {
		r.nothingLeft()
	}
}

// isTakenDown retires a service once those that depend on it are down.
func (t *tenant) isTakenDown() bool {
	if t.leaving == nil && !slices.ContainsFunc(t.dependants, func(by *tenant) bool { return !by.hasEnded() }) {
		t.room.note("%s is to be retired", t.name)
		t.leaving = t.room.orderer(t, true)
		t.leaving.gives(Retire{t.leaving.order, time.Now()})
	}
	return t.hasEnded()
}

// untilQuiet goes on until the condition holds for each service; it is false, and that a fault, if it never does.
func (r *room) untilQuiet(what string, holds func(*tenant) bool) bool {
	for end := time.Now().Add(3 * time.Hour); ; {
		for r.deliver() {
			if r.isFaulty() {
				return false
			}
		}
		quiet := true
		for _, t := range r.tenants {
			quiet = holds(t) && quiet
		}
		if quiet {
			return true
		}
		if time.Now().After(end) {
			for _, t := range r.tenants {
				r.note("%s, which rests: %v, is %v, always %v, waiting %v, leases %d, launching %d, alive %v", t.name, holds(t), t.v.legacy.last.State, t.spec.Always, t.waiting, len(t.leases), t.launching(), t.alive())
			}
			r.fail("waited in vain for %s", what)
			return false
		}
		r.pass(time.Minute)
	}
}
