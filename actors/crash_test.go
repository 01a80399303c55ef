package actors

import (
	"fmt"
	"slices"
	"time"

	"dynapm/actors/keeper"
)

// crash is the end of an engine and the beginning of the next: the machine is
// forgotten with all that waited for it, and the world goes on.
func (w *world) crash() {
	last := w.last
	if w.chance(20) {
		last = w.older // the disk was too slow for the rest
	}
	if w.gate.run != 0 && w.gate.run == last.Run {
		last.LastUse = w.gate.lastUse
		if w.gate.holding > 0 {
			last.LastUse = w.now
		}
	}
	if w.inFlight != 0 && w.chance(50) { // the keeper launched it all the same
		w.alive[w.inFlight] = true
	}
	w.inFlight, w.queued, w.stopping, w.let = 0, 0, false, time.Time{}
	w.engine++
	w.unanswered, w.told = nil, nil
	w.gate.run, w.gate.open, w.gate.holding = 0, false, 0
	w.now = w.now.Add(w.upTo(time.Minute))

	spec := Spec{Last: last.asOf(w.now)}
	for r := range w.alive {
		if !w.daemon {
			spec.Found = &keeper.Process{Run: uint64(r), Pid: 100 + int(r)}
		}
	}
	w.last, w.older, w.resumed = *spec.Last, *spec.Last, *spec.Last
	spec.Last.Memory.Down = false // it is not kept
	w.machine = NewMachine(w.limits, spec.Last.Memory)
	if w.chance(50) {
		w.machine.grounds = []Ground{needOf("web")}
	}
	e := spec.leftover(w.now)
	if w.trace != nil {
		w.trace("%v the next engine: %+v, found %+v: %+v", w.now.Sub(w.start), *spec.Last, spec.Found, e)
	}
	if e != nil {
		w.tell(e, Begun{w.now})
	} else {
		w.tell(Begun{w.now})
	}
}

// record is the store.
func (w *world) record(e Record) {
	w.older = w.last
	e.LastUse = w.last.LastUse
	if w.gate.run != 0 {
		e.LastUse = w.gate.lastUse
	}
	w.last = Last{Memory: e.Memory, State: e.State, Reason: e.Reason, Run: e.Run, Since: e.Since, ReadySince: e.ReadySince,
		LastUse: e.LastUse, Address: e.Address}
}

// open holds that the idle clock of a run that was ready goes on under the next
// engine, and starts anew only with a request that waits.
func (w *world) open(e Open) {
	used := e.LastUse
	if used.After(w.now) {
		panic("the last use is in the future")
	}
	wanted := slices.ContainsFunc(w.unanswered, func(p *person) bool { return !p.down })
	if r := w.resumed; r.Run == e.Run && !r.ReadySince.IsZero() && !wanted && !used.Equal(r.LastUse) {
		panic(fmt.Sprintf("the idle clock was lost: last used %v, not %v", used, r.LastUse))
	}
	if w.gate.run != e.Run {
		w.gate.run, w.gate.holding = e.Run, 0
	}
	w.gate.open, w.gate.lastUse, w.let = true, used, time.Time{}
	w.resumed = Last{}
}

// assertIdleClock holds that a service does not stay up longer than its idle
// time after its last use, but for the time in which a request is expected, once it was up for as long as it must be.
func (w *world) assertIdleClock(armed time.Time) {
	if w.machine.state != StateReady {
		return
	}
	used := w.gate.lastUse
	if w.gate.holding > 0 {
		used = w.now
	}
	if let := w.machine.let; !let.IsZero() && !armed.After(let.Add(expectation)) {
		return // maybe for a request that has left while an operator still waited
	}
	if armed.After(later(used.Add(w.limits.IdleTimeout), w.machine.readySince.Add(w.limits.MinUptime))) {
		panic(fmt.Sprintf("last used at %v, and to sleep at %v", used.Sub(w.start), armed.Sub(w.start)))
	}
}
