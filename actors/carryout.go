package actors

import (
	"slices"
	"time"
)

// carryOut does what the machine wants done. Nothing here waits: what is slow
// is begun by the conduct of the run, and comes back as a fact.
func (i *instance) carryOut(e Effect) {
	switch e := e.(type) {
	case Ask:
		i.ask(e.Run)
	case Withdraw: // the turn ends with this one of the actor
		i.answer(Exited{Fact{e.Run, time.Now()}, "its turn to start had not come"})
	case Launch:
		i.legacy.conduct = i.conductOf(e.Run)
		i.legacy.conduct.launch(i.recorded)
	case Verify:
		i.legacy.conduct.verify(e.Until, e.Coming)
	case Doubt:
		i.legacy.conduct.doubt(e.Address, e.Until)
	case Probe:
		i.legacy.conduct.probe(e.Until, expected(i.machine.RecentStarts))
	case Term:
		i.legacy.conduct.term()
	case Kill:
		i.legacy.conduct.kill()
	case Arm:
		i.arm(e)
	case Open:
		i.open(e)
	case Shut:
		i.shut(e)
	case Close:
		g := i.gate.Load()
		i.system.uses.closed(g)
		g.ended.Store(true)
		i.system.options.Traffic.Close(g, e.Cut)
	case Grant:
		i.grant(e.Waiter)
	case Refuse:
		i.refuse(e.Waiter, e.Refusal)
	case Record:
		i.record(e)
	case End:
		i.close(true)
	}
}

// record adds what the machine does not know.
func (i *instance) record(e Record) {
	e.Service, e.LastUse = i.Name(), i.lastUse()
	if c := i.legacy.conduct; c != nil && e.Pid != 0 {
		if p := c.process(); p.Pid == e.Pid {
			e.StartTime = p.StartTime
		}
	}
	i.recorded = e
	i.system.options.Journal.Record(e)
}

// answer has the machine told what comes of an effect before all that was to be
// told already: a request that comes first would find a start that it was not told
// of.
func (i *instance) answer(e Event) { i.told = slices.Insert(i.told, 0, e) }

// arm sets the timer. One that fires before it is stopped is told apart by its
// number.
func (i *instance) arm(e Arm) {
	i.disarm()
	i.timer = time.AfterFunc(time.Until(e.At), func() { i.tell(TimerFired{e.Seq, time.Now()}) })
}

func (i *instance) disarm() {
	if i.timer != nil {
		i.timer.Stop()
	}
}

// open gives the run its gate. A gate that an earlier instance left open stays
// as it is, with its last use.
func (i *instance) open(e Open) {
	g, lastUse := i.gate.Load(), i.legacy.shared.lastUse(e.Run, e.LastUse)
	if g == nil || g.Run() != e.Run || g.Address() != e.Address {
		g = i.newGate(e.Run, e.Address)
	}
	if !g.isOpen() {
		g.open(lastUse)
	}
	i.legacy.shared.opened(g) // before a request can take the last of few leases
	i.gate.Store(g)
	i.system.uses.opened(g, i.Name())
}

func (i *instance) newGate(r Run, address string) *Gate {
	g := NewGate(r, address)
	g.start, g.limit, g.queue = i.machine.LastStart, i.spec.MaxConcurrent, i.queue
	g.drained = func() { i.tell(gateEmpty{g}) }
	return g
}

// shareShut gives a run that the earlier engine drains a gate of which only the leases for that engine are out.
func (i *instance) shareShut(r Run, address string, lastUse time.Time) {
	g := i.newGate(r, address)
	g.open(lastUse)
	i.legacy.shared.opened(g)
	g.Shut()
	i.gate.Store(g)
	i.system.uses.opened(g, i.Name())
}

// shut answers within the turn, unless leases are out: then the last one to be
// released does.
func (i *instance) shut(e Shut) {
	g := i.gate.Load()
	fact := Fact{e.Run, time.Now()}
	if e.UnusedSince.IsZero() {
		if g.Shut() {
			i.told = append(i.told, Drained{fact})
		}
		for _, w := range i.queued() {
			i.told = append(i.told, Acquire{w, fact.At})
		}
		return
	}
	if lastUse, shut := g.shutIdle(e.UnusedSince, e.Expected); shut {
		i.told = append(i.told, Drained{fact})
	} else {
		i.told = append(i.told, InUse{fact, lastUse})
	}
}

// queued takes over those who wait for a lease on a gate that was shut.
func (i *instance) queued() []Waiter {
	if i.queue == nil {
		return nil
	}
	all := i.queue.clear()
	for _, w := range all {
		i.legacy.waiters.add(w, false)
	}
	return all
}

func (i *instance) gateState(r Run) GateState {
	g := i.gate.Load()
	switch {
	case g == nil || g.Run() != r:
		return GateAbsent
	case g.isOpen():
		return GateOpen
	}
	return GateShut
}

// grant and refuse settle the debt first: a waiter that panics is not answered
// again by the next instance.
func (i *instance) grant(w Waiter) {
	if !i.legacy.waiters.settle(w) {
		return
	}
	if g := i.gate.Load(); i.queue != nil && g != nil && isRequest(w) && i.queue.wait(g, w) {
		return // all who waited queue for their leases in the order in which they came
	}
	w.Grant()
}

// isRequest tells those who want a lease from those who only want to know that the
// service is up.
func isRequest(w Waiter) bool {
	switch w.(type) {
	case *caller, *need, unemployed:
		return false
	}
	return true
}

func (i *instance) refuse(w Waiter, r Refusal) {
	if i.legacy.waiters.settle(w) {
		if r.Reason == Overloaded {
			i.legacy.overloaded++
		}
		w.Refuse(r)
	}
}
