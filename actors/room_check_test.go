package actors

import "time"

// check holds what must be true between any two messages.
func (r *room) check() {
	for _, t := range r.tenants {
		if t.v == nil || t.v.system != r.system || r.isRestarting(t) {
			continue
		}
		state, g := t.v.legacy.last.State, t.v.gate.Load()
		open := g != nil && g.isOpen()
		if open != (state == StateReady) && !(open && state == StateStarting) && !t.hasEnded() {
			r.fail("%s is %v, and its gate open: %v", t.name, state, open)
		}
		if open && g.Run() != t.v.legacy.last.Run {
			r.fail("the gate of run %d of %s is open, and the present run is %d", g.Run(), t.name, t.v.legacy.last.Run)
		}
		if g != nil {
			if holding, _ := g.Counts(); holding < t.holding(g) {
				r.fail("%s: %d leases are out, and its gate knows of %d", t.name, t.holding(g), holding)
			}
		}
		if t.v.legacy.last.Run == 0 && state != StateStopped && state != StateFailed && state != StateStarting && !t.hasEnded() {
			r.fail("%s is %v without a run", t.name, state)
		}
	}
	r.mustBeAlone()
}

// isRestarting tells whether another instance of the actor is about to take over: then it is in the middle of a turn.
func (r *room) isRestarting(t *tenant) bool {
	r.mail.mu.Lock()
	defer r.mail.mu.Unlock()
	for _, b := range r.mail.boxes[1:] {
		if r.nameOf(b) == t.name && (b.suspended || len(b.system) > 0) {
			return true
		}
	}
	return false
}

// mustBeAlone holds that a panic suspends nobody but the actor that had it.
func (r *room) mustBeAlone() {
	r.mail.mu.Lock()
	defer r.mail.mu.Unlock()
	for _, b := range r.mail.boxes {
		if !b.suspended {
			continue
		}
		if t := r.tenantOf(r.nameOf(b)); t == nil || t.panics == 0 {
			r.fail("%v does not work, and has not panicked", r.nameOf(b))
		} else {
			t.reborn = true
		}
	}
}

// nothingLeft holds that all that was taken is given back.
func (r *room) nothingLeft() {
	<-time.After(time.Minute) // what was killed has ended
	for _, t := range r.tenants {
		if left := t.alive(); left != "" {
			r.fail("%s was retired, and there is %s", t.name, left)
		}
		if len(t.waiting) > 0 {
			r.fail("%v of %s were never answered", t.waiting, t.name)
		}
		if n := len(t.v.legacy.waiters.owed); n > 0 {
			r.fail("%s owes %d answers", t.name, n)
		}
		if q := t.v.queue; q != nil && len(q.waiting)+len(q.let) > 0 {
			r.fail("%d queue for leases on %s, and %d have not come for theirs", len(q.waiting), t.name, len(q.let))
		}
		if n := t.children(); n > 0 && r.keepers == 0 {
			r.fail("%s waits for %d processes that have ended", t.name, n)
		}
	}
	if n := len(r.system.uses.open); n > 0 {
		r.fail("%d gates are taken for open", n)
	}
}
