package actors

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"dynapm/actors/keeper/failpoint"

	"github.com/asynkron/protoactor-go/actor"
)

// instance is the actor of a service: a machine, and the hands that carry out
// its effects. After a panic another instance takes over from the legacy.
type instance struct {
	*Service
	machine *Machine
	timer   *time.Timer
	told    []Event // what is to be told to the machine in this turn

	recorded Record // the last one
}

// Messages to an instance that are no events.
type (
	inspect    struct{ reply chan<- Status }
	gateEmpty  struct{ gate *Gate } // a shut gate was left by its last lease
	leave      struct{}             // the engine leaves, the service stays
	unemployed struct{}             // who waits for an answer that nobody wants
)

func (unemployed) Grant()         {}
func (unemployed) Refuse(Refusal) {}

// Receive is the one entrance of an instance.
func (i *instance) Receive(c actor.Context) {
	defer i.confess()
	switch m := c.Message().(type) {
	case *actor.Started:
		i.begin()
	case TurnCame:
		i.turnCame(m)
	case Event:
		i.turn(m)
	case gateEmpty:
		// The gate may have been opened again since, or be that of an earlier
		// run. What counts is how it is now.
		if m.gate == i.gate.Load() && m.gate.isDrained() {
			i.turn(Drained{Fact{m.gate.Run(), time.Now()}})
		}
	case provided:
		i.provided(m.need)
	case denied:
		i.denied(m.need, m.refusal)
	case inspect:
		m.reply <- i.inspect()
	case unshare:
		i.legacy.shared.shrink(m.left)
	case leave:
		i.leave()
	case *actor.Restarting:
		i.disarm()
	case *actor.Stopped:
		i.disarm()
		i.endTurn()
		i.system.forget(i.Service)
		close(i.ended)
	}
}

// begin takes up what is there: nothing at the first start of an engine, what an
// earlier engine has left, or what an instance that panicked has left.
func (i *instance) begin() {
	l := &i.legacy
	i.machine = NewMachine(i.spec.limits(), l.last.Memory)
	i.machine.grounds = l.grounds
	now := time.Now()
	if len(l.panics) == 0 {
		i.takeUp(now)
	} else {
		i.takeOver(now)
	}
	if n := len(l.panics); n > 1 && l.panics[n-1].Sub(l.panics[n-2]) < panicWindow {
		i.turn(Panicked{l.reason, now})
	}
	i.remind(now)
	if i.machine.keptUp() {
		i.turn(Begun{now})
	}
}

// takeUp is for the first instance.
func (i *instance) takeUp(now time.Time) {
	e := i.spec.leftover(now)
	if e == nil {
		i.legacy.last.State = StateStopped // a start that the engine before had let wait for its turn is forgotten
		return
	}
	if a, ok := e.(Adopt); ok {
		l := &i.legacy
		start := l.last.Memory.LastStart
		l.last.Run = a.Run
		l.shared = i.spec.shared(a.Run)
		l.conduct = i.conductOf(a.Run)
		l.conduct.resume(i.spec.Found, a.Run == l.last.Memory.LastRun && !or(start.Ready, a.ReadySince).IsZero())
		if !a.Draining.IsZero() {
			i.shareShut(a.Run, a.Address, a.LastUse)
		}
	}
	i.turn(e)
}

// takeOver is for the next instances.
func (i *instance) takeOver(now time.Time) {
	l := &i.legacy
	if l.conduct != nil && l.conduct.Run() == l.last.Run {
		p, gate, lastUse := l.conduct.process(), i.gateState(l.last.Run), l.last.LastUse
		if gate != GateAbsent {
			lastUse = i.gate.Load().LastUse()
		}
		i.turn(Adopt{Run: l.last.Run, Pid: p.Pid, Launched: p.Started, Gate: gate, Ending: l.conduct.ending(),
			Address: l.last.Address, ReadySince: l.last.ReadySince, LastUse: lastUse, Reason: "taken over", At: now})
		return
	}
	l.conduct = nil // its run has ended, and the next was not launched yet
	i.endTurn()
	i.letGo()
	if g := i.gate.Load(); g != nil {
		g.Shut()
		i.queued() // and are reminded of
	}
	switch s := l.last.State; s {
	case StateFailed, StateStopped:
		i.turn(Recall{s == StateFailed, l.last.Reason, l.last.Since, now})
	default: // who waits for the start is about to ask again
		i.turn(Recall{false, "its start was given up", now, now})
	}
}

// remind tells the machine of those who wait since before a panic.
func (i *instance) remind(now time.Time) {
	w, memory := &i.legacy.waiters, &i.legacy.last.Memory
	for _, waiter := range w.all(true) {
		if memory.Retiring {
			i.turn(Retire{waiter, now})
		} else {
			i.turn(Stop{waiter, memory.Held, now})
		}
	}
	for _, waiter := range w.all(false) {
		if n, ok := waiter.(*need); ok {
			i.turn(KeepUp{needOf(n.by.Name()), n, now})
		} else {
			i.turn(Acquire{waiter, now})
		}
	}
	if memory.Retiring {
		i.turn(Retire{unemployed{}, now}) // also if those who wanted it have left
	}
}

// turn tells the machine an event, and what the gate answers to its effects.
func (i *instance) turn(e Event) {
	i.enter(e)
	i.told = append(i.told, e)
	i.goOn()
}

// goOn tells the machine all that is to be told in this turn of the actor.
func (i *instance) goOn() {
	for len(i.told) > 0 {
		e := i.told[0]
		i.told = slices.Delete(i.told, 0, 1)
		effects := i.machine.Step(e)
		i.legacy.last, i.legacy.grounds = i.machine.last(), i.machine.grounds
		if i.machine.run == 0 { // before anybody hears that it is down, who may want the others down next
			i.letGo()
		}
		for _, effect := range effects {
			i.carryOut(effect)
			failpoint.Did(effect)
		}
	}
	if i.machine.run == 0 {
		i.legacy.conduct = nil
	} else {
		i.keep()
	}
	if i.machine.state != StateStarting {
		i.endTurn()
	}
}

// enter keeps the ledger of those who are owed an answer.
func (i *instance) enter(e Event) {
	switch e := e.(type) {
	case Acquire:
		i.legacy.waiters.add(e.Waiter, false)
	case Start:
		i.legacy.waiters.add(e.Waiter, false)
	case Stop:
		i.legacy.waiters.add(e.Waiter, true)
	case Retire:
		i.legacy.waiters.add(e.Waiter, true)
	case KeepUp:
		if e.Waiter != nil {
			i.legacy.waiters.add(e.Waiter, false)
		}
	case LetGo: // until now it was used
		if g := i.gate.Load(); g != nil && i.machine.state == StateReady {
			g.touch()
		}
	case Cancel:
		i.legacy.waiters.settle(e.Waiter)
		if i.queue != nil { // it may have come there while the message was under way
			i.queue.leave(e.Waiter)
		}
	}
}

// inspect is the answer to Inspect.
func (i *instance) inspect() Status {
	s := i.machine.status(time.Now())
	s.Name = i.Name()
	s.LastUse, s.Overloaded = i.lastUse(), i.legacy.overloaded
	if c := i.legacy.conduct; c != nil {
		s.Process = c.process()
	}
	if g := i.gate.Load(); g != nil {
		s.Holding, s.Passive = g.Counts()
	}
	if i.queue != nil {
		waiting, overloaded := i.queue.counts()
		s.Waiting, s.Overloaded = s.Waiting+waiting, s.Overloaded+overloaded
	}
	return s
}

// lastUse is that of the service, in this engine or an earlier one.
func (i *instance) lastUse() time.Time {
	switch g := i.gate.Load(); {
	case g != nil:
		return g.LastUse()
	case i.spec.Last != nil:
		return i.spec.Last.LastUse
	}
	return time.Time{}
}

// leave ends the actor and leaves the service as it is.
func (i *instance) leave() {
	i.queued()
	for _, down := range []bool{true, false} {
		for _, w := range i.legacy.waiters.all(down) {
			i.refuse(w, Refusal{Reason: Closing})
		}
	}
	if i.legacy.conduct != nil {
		i.legacy.conduct.abandon()
	}
	i.close(false)
}

// confess notes a panic, and lets it go on to the supervisor.
func (i *instance) confess() {
	r := recover()
	if r == nil {
		return
	}
	l := &i.legacy
	l.reason = fmt.Sprintf("panic: %v", r)
	l.panics = append(l.panics, time.Now())
	if len(l.panics) > 2 {
		l.panics = l.panics[len(l.panics)-2:]
	}
	i.system.options.Log.Error("the actor of a service panicked; another takes over",
		slog.String("service", i.Name()), slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
	panic(r)
}
