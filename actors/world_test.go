package actors

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// world is all that is outside a machine, made up: processes that stall, die,
// ignore signals and answer late, a gate, people who want things, and a clock
// that jumps from one event to the next. It panics with what went wrong.
type world struct {
	*rand.Rand
	machine *Machine
	limits  Limits
	start   time.Time
	now     time.Time
	future  agenda
	steps   int
	trace   func(format string, args ...any) // nil: none

	engine  int  // the number of the present one
	last    Last // what was told to the store
	older   Last // what it was told before that, unless it had to be durable
	daemon  bool // the process is not known to the keeper
	resumed Last // what the present engine took up; zero State: nothing, or it was ready since

	calm     bool         // processes obey and nobody wants anything new
	queued   Run          // whose turn has not come
	inFlight Run          // a Launch that has not come back
	stopping bool         // a Term goes on; to kill what is not known to the keeper does nothing but hurry it
	alive    map[Run]bool // whose process lives: never more than one
	gate     struct {
		run     Run
		open    bool
		holding int
		lastUse time.Time
	}
	unanswered []*person
	let        time.Time // when somebody was let in last, if nobody has come through yet; zero: nobody is expected
	told       []Event   // what is to be told in this turn yet
}

// person is a waiter of the walk.
type person struct {
	w       *world
	down    bool // wants it down
	request bool
}

func (p *person) Grant()         { p.answered() }
func (p *person) Refuse(Refusal) { p.answered() }
func (p *person) answered() {
	if !p.w.forget(p) {
		panic("a waiter was answered twice, or after it had left")
	}
}

// forget is false if p does not wait.
func (w *world) forget(p *person) bool {
	i := slices.Index(w.unanswered, p)
	if i < 0 {
		return false
	}
	w.unanswered = slices.Delete(w.unanswered, i, i+1)
	return true
}

type appointment struct {
	at time.Time
	do func()
}

type agenda []appointment

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func newWorld(seed uint64) *world {
	w := &world{
		Rand:  rand.New(rand.NewPCG(seed, 0)),
		start: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		alive: map[Run]bool{},
	}
	w.now = w.start
	w.limits = Limits{StartTimeout: w.upTo(20 * time.Second), DrainTimeout: w.upTo(5 * time.Second),
		StopTimeout: w.upTo(5 * time.Second), MaxPending: 3}
	if w.limits.Always = w.chance(20); !w.limits.Always && w.chance(80) {
		w.limits.IdleTimeout = leastIdle + w.upTo(time.Minute)
	}
	if w.chance(20) {
		w.limits.IdleTimeout = leastIdle + w.upTo(80*time.Millisecond)
	}
	if w.chance(30) {
		w.limits.MinUptime = w.upTo(2 * time.Minute)
	}
	w.machine = NewMachine(w.limits, Memory{})
	w.daemon = w.chance(50)
	return w
}

// leastIdle bounds how often a service in use is tried for idleness, and so the steps of a schedule.
const leastIdle = 20 * time.Millisecond

func (w *world) chance(percent int) bool            { return w.IntN(100) < percent }
func (w *world) upTo(d time.Duration) time.Duration { return 1 + time.Duration(w.Int64N(int64(d))) }
func (w *world) fact(r Run) Fact                    { return Fact{r, w.now} }

func (w *world) in(d time.Duration, do func()) {
	heap.Push(&w.future, appointment{w.now.Add(d), do})
}

// inEngine is in, for what ends with the present engine.
func (w *world) inEngine(d time.Duration, do func()) {
	engine := w.engine
	w.in(d, func() {
		if w.engine == engine {
			do()
		}
	})
}

// next lets the clock jump to the next appointment. It is false if there is none.
func (w *world) next() bool {
	if len(w.future) == 0 {
		return false
	}
	a := heap.Pop(&w.future).(appointment)
	if a.at.After(w.now) {
		w.now = a.at
	}
	a.do()
	return true
}

// tell is a turn of the actor.
func (w *world) tell(events ...Event) {
	w.told = append(w.told, events...)
	for len(w.told) > 0 {
		e := w.told[0]
		w.told = w.told[1:]
		w.steps++
		effects := w.machine.Step(e)
		if w.trace != nil {
			w.trace("%v %T%+v: %v %+v", w.now.Sub(w.start), e, e, w.machine.state, effects)
		}
		for _, effect := range effects {
			w.carryOut(effect)
		}
	}
	w.check()
}

func (w *world) carryOut(e Effect) {
	switch e := e.(type) {
	case Ask:
		w.ask(e.Run)
	case Withdraw:
		w.told = append(w.told, Exited{w.fact(e.Run), "its turn had not come"})
	case Launch:
		w.launch(e.Run)
	case Probe:
		w.probe(e.Run, e.Until)
	case Verify:
		w.verify(e.Run, e.Until)
	case Doubt:
		w.verify(e.Run, e.Until)
	case Term:
		w.assertQuiet("Term", e.Run)
		w.term(e.Run)
	case Kill:
		w.assertQuiet("Kill", e.Run)
		w.kill(e.Run)
	case Arm:
		w.assertIdleClock(e.At)
		w.inEngine(e.At.Sub(w.now), func() { w.tell(TimerFired{e.Seq, w.now}) })
	case Open:
		w.open(e)
	case Record:
		w.record(e)
	case Shut:
		w.told = append(w.told, w.shut(e)...)
	case Close:
		if e.Cut {
			w.gate.holding = 0
		}
	case Grant:
		e.Waiter.(*person).Grant()
		if e.Waiter.(*person).request {
			w.letIn()
		}
		if e.Waiter.(*person).down && len(w.alive) > 0 {
			panic("somebody was told that it is down while a process lives")
		}
	case Refuse:
		e.Waiter.Refuse(e.Refusal)
	}
}

// assertQuiet holds that no request is at a run that is told to end.
func (w *world) assertQuiet(what string, r Run) {
	if w.gate.run == r && (w.gate.open || w.gate.holding > 0) {
		panic(what + " while requests are at the service")
	}
}

// ask answers within the turn; others may be starting.
func (w *world) ask(r Run) {
	if w.chance(60) {
		w.told = append(w.told, TurnCame{w.fact(r), ""})
		return
	}
	w.told = append(w.told, Queued{w.fact(r), "db"})
	w.queued = r
	w.inEngine(w.upTo(20*time.Second), func() {
		switch {
		case w.queued != r:
		case w.chance(20):
			w.queued = 0
			w.tell(Lacking{w.fact(r), Refusal{Reason: StartFailed}})
		case w.chance(20):
			w.tell(Queued{w.fact(r), "its turn to start"})
			w.inEngine(w.upTo(20*time.Second), func() { w.turnCame(r) })
		default:
			w.turnCame(r)
		}
	})
}

func (w *world) turnCame(r Run) {
	if w.queued == r {
		w.queued = 0
		w.tell(TurnCame{w.fact(r), ""})
	}
}

func (w *world) launch(r Run) {
	if w.queued == r {
		panic("launched before its turn")
	}
	if w.inFlight != 0 || len(w.alive) > 0 {
		panic("launched beside another run")
	}
	if w.machine.Retiring || w.machine.Held {
		panic("launched what is to be down")
	}
	w.inFlight = r
	if w.daemon {
		w.older = w.last // the intent
	}
	delay := w.upTo(10 * time.Millisecond)
	if w.chance(5) && !w.calm {
		delay = w.upTo(time.Minute)
	}
	w.inEngine(delay, func() {
		w.inFlight = 0
		if w.chance(10) {
			w.tell(Exited{w.fact(r), "cannot run it"})
			return
		}
		w.alive[r] = true
		w.tell(Launched{w.fact(r), 100 + int(r)})
		if w.chance(30) {
			w.die(r, w.upTo(30*time.Second))
		}
		if w.chance(10) {
			w.inEngine(w.upTo(10*time.Second), func() { w.tell(Returned{w.fact(r)}) })
		}
	})
}

// die lets the process of r end after a while, if it lives then.
func (w *world) die(r Run, after time.Duration) {
	w.in(after, func() {
		if !w.alive[r] {
			return
		}
		delete(w.alive, r)
		w.in(w.upTo(time.Millisecond), func() {
			if !w.alive[r] && w.inFlight != r { // else the number was used again, by an engine that did not know
				w.tell(Exited{w.fact(r), "exit status 1"})
			}
		})
	})
}

func (w *world) probe(r Run, until time.Time) {
	switch left := max(until.Sub(w.now), 1); {
	case w.chance(70) || w.calm:
		w.inEngine(w.upTo(min(left, time.Second)), func() {
			if w.alive[r] {
				w.tell(ProbePassed{w.fact(r), "127.0.0.1:80", w.now})
			}
		})
	case w.chance(70):
		w.inEngine(left, func() { w.tell(ProbeFailed{w.fact(r), "no answer", false}) })
	}
}

// verify waits for a launch that is under way before it looks.
func (w *world) verify(r Run, until time.Time) {
	w.inEngine(w.upTo(time.Second), func() {
		switch {
		case w.inFlight == r:
			w.verify(r, until)
		case !w.alive[r]:
			w.tell(Exited{w.fact(r), "it is not there"})
		default:
			w.probe(r, until)
		}
	})
}

func (w *world) term(r Run) {
	w.stopping = true
	switch {
	case !w.alive[r] && w.inFlight != r: // its exit may have been told to nobody
		w.inEngine(w.upTo(time.Millisecond), func() { w.tell(Exited{w.fact(r), "it is not there"}) })
	case w.chance(60) || w.calm:
		w.die(r, w.upTo(time.Second))
	case w.chance(50):
		w.inEngine(w.upTo(20*time.Second), func() {
			if w.alive[r] {
				w.stopping = false
				w.tell(StillUp{w.fact(r), "the stop command failed"})
			}
		})
	}
}

func (w *world) kill(r Run) {
	if w.daemon && !w.stopping {
		return
	}
	if w.chance(80) || w.calm {
		w.die(r, w.upTo(10*time.Millisecond))
	}
}

func (w *world) shut(e Shut) []Event {
	if e.Run != w.gate.run {
		panic("the gate of another run was shut")
	}
	if !e.UnusedSince.IsZero() {
		if len(w.machine.grounds) > 0 {
			panic("tried for idleness while it is kept up")
		}
		if w.gate.holding > 0 {
			return []Event{InUse{w.fact(e.Run), w.now}}
		}
		if w.gate.lastUse.After(e.UnusedSince) || !e.Expected.IsZero() && !w.gate.lastUse.After(e.Expected) {
			return []Event{InUse{w.fact(e.Run), w.gate.lastUse}}
		}
		// A lease from before counts as a use: a gate may open again, after a panic, with leases out.
		if !w.let.IsZero() && w.now.Sub(w.let) < expectation && !w.gate.lastUse.After(w.let) {
			panic("shut before those who were let in could come through")
		}
		if up := w.now.Sub(w.machine.readySince); up < w.limits.MinUptime {
			panic(fmt.Sprintf("stopped as idle after %v, and %v is the least", up, w.limits.MinUptime))
		}
	}
	w.gate.open = false
	if w.gate.holding > 0 {
		return nil
	}
	return []Event{Drained{w.fact(e.Run)}}
}

// check holds what must be true between any two turns.
func (w *world) check() {
	m := w.machine
	if w.gate.open != (m.gate == GateOpen) || m.state == StateReady && !w.gate.open ||
		w.gate.open && m.state != StateReady && m.state != StateStarting {
		panic(fmt.Sprintf("%v, and the gate open: %v", m.state, w.gate.open))
	}
	if m.run == 0 && (len(w.alive) > 0 || w.inFlight != 0) {
		panic(fmt.Sprintf("%v, and something runs", m.state))
	}
	if m.run == 0 && m.state != StateStopped && m.state != StateFailed {
		panic(fmt.Sprintf("%v without a run", m.state))
	}
	if len(m.waiting) > 0 && (m.state == StateStopped || m.state == StateReady || m.state == StateFailed) {
		panic(fmt.Sprintf("somebody is parked in %v", m.state))
	}
	if len(m.leaving) > 0 && m.state != StateDraining && m.state != StateStopping {
		panic(fmt.Sprintf("a stopper is parked in %v", m.state))
	}
	if len(m.waiting)+len(m.leaving) != len(w.unanswered) {
		panic("a waiter was lost")
	}
	if m.run == 0 && m.keptUp() && m.timer == 0 {
		panic(fmt.Sprintf("%v for ever, and it is always to be up", m.state))
	}
	if asks := m.process == asking; asks && (m.state != StateStarting || w.queued != m.run || len(w.alive) > 0 || w.inFlight != 0) {
		panic(fmt.Sprintf("%v, and run %d waits for its turn", m.state, m.run))
	}
	if m.state == StateReady && len(m.grounds) > 0 && m.timer != 0 {
		panic("kept up, and the idle clock goes on")
	}
	needsTimer := m.run != 0 && m.process != asking && (m.state != StateReady || m.sleeps())
	if needsTimer && m.timer == 0 {
		panic(fmt.Sprintf("stuck in %v: no timer", m.state))
	}
}
