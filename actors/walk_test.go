package actors

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	walkSeed  = flag.Uint64("seed", 0, "walk this one schedule of TestRandomWalk again (with -v: tell it)")
	walkTime  = flag.Duration("walk", 2*time.Second, "how long TestRandomWalk walks at least")
	walkCount = flag.Int64("walks", 0, "how many schedules TestRandomWalk walks at least")
)

// TestRandomWalk leads machines through random schedules in a made-up world
// that holds the invariants after every turn.
func TestRandomWalk(t *testing.T) {
	if *walkSeed != 0 {
		if err := walk(*walkSeed, new(int), t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	var schedules, steps atomic.Int64
	atOnce(*walkTime, *walkCount, &schedules, func() bool {
		seed, n := rand.Uint64(), 0
		err := walk(seed, &n, nil)
		steps.Add(int64(n))
		if err != nil {
			t.Errorf("%v\nwalk it again: go test ./actors -run TestRandomWalk -v -seed %d", err, seed)
		}
		return err == nil
	})
	t.Logf("%d schedules, %d steps", schedules.Load(), steps.Load())
}

// atOnce calls do on every core until both the time is over and it was called often enough, or it is false.
func atOnce(least time.Duration, count int64, done *atomic.Int64, do func() bool) {
	end := time.Now().Add(least)
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for !failed.Load() && (time.Now().Before(end) || done.Load() < count) {
				if !do() {
					failed.Store(true)
				}
				done.Add(1)
			}
		})
	}
	workers.Wait()
}

// walk is one schedule: a random one, then a calm in which all must end well.
func walk(seed uint64, steps *int, trace func(string, ...any)) (err error) {
	w := newWorld(seed)
	w.trace = trace
	defer func() {
		*steps += w.steps
		if r := recover(); r != nil {
			err = fmt.Errorf("%v\n%s", r, debug.Stack())
		}
	}()
	if w.chance(20) {
		w.alive[7] = true
		w.tell(Adopt{Run: 7, Pid: 107, Launched: w.now, At: w.now})
		w.older = w.last
	} else {
		w.tell(Begun{w.now})
	}
	for range 100 {
		w.somethingHappens()
	}
	w.calmDown()
	return nil
}

func (w *world) somethingHappens() {
	switch w.IntN(17) {
	case 0, 1, 2:
		w.request()
	case 3:
		p := w.newcomer(false)
		w.tell(Start{p, w.now})
	case 4:
		p := w.newcomer(true)
		w.tell(Stop{p, w.chance(20), w.now})
	case 5:
		if w.chance(5) {
			w.tell(Retire{w.newcomer(true), w.now})
		}
	case 6:
		if n := len(w.unanswered); n > 0 {
			w.leave(w.unanswered[w.IntN(n)])
		}
	case 7:
		w.stale()
	case 8:
		if w.chance(20) {
			w.restart()
		}
		if w.chance(10) {
			w.crash()
		}
	case 9:
		w.ground([]string{"web", "cron", ""}[w.IntN(3)])
	case 10:
		w.now = w.now.Add(w.upTo(time.Millisecond))
	default:
		w.next()
	}
}

// ground comes up, comes up once more, or goes.
func (w *world) ground(by string) {
	g := Ground{By: by, Why: "it is wanted"}
	switch {
	case w.chance(50):
		if w.machine.state == StateReady {
			w.gate.lastUse = w.now
		}
		w.tell(LetGo{by, "it is not wanted", w.now})
	case w.chance(50):
		w.tell(KeepUp{g, w.newcomer(false), w.now})
	default:
		w.tell(KeepUp{g, nil, w.now})
	}
}

func (w *world) newcomer(down bool) *person {
	p := &person{w: w, down: down}
	w.unanswered = append(w.unanswered, p)
	return p
}

// request goes through the gate, or asks for it to be opened.
func (w *world) request() {
	if w.gate.open {
		w.comeThrough()
		return
	}
	p := w.newcomer(false)
	p.request = true
	w.tell(Acquire{p, w.now})
}

// letIn has a request that was granted come through, if the gate is still open
// when it gets there.
func (w *world) letIn() {
	w.let = w.now
	w.inEngine(w.upTo(1500*time.Millisecond), func() {
		if w.gate.open || !w.calm {
			w.request()
		}
	})
}

// comeThrough takes a lease for a while.
func (w *world) comeThrough() {
	w.let = time.Time{}
	r := w.gate.run
	w.gate.holding++
	w.inEngine(w.upTo(20*time.Second), func() {
		if w.chance(5) {
			w.tell(Refused{w.fact(r)})
		}
		if w.gate.run != r || w.gate.holding == 0 { // it was cut
			return
		}
		w.gate.holding--
		w.gate.lastUse = w.now
		if !w.gate.open && w.gate.holding == 0 {
			w.tell(Drained{w.fact(r)})
		}
	})
}

func (w *world) leave(p *person) {
	w.forget(p)
	w.tell(Cancel{p, w.now})
}

// stale tells facts of earlier runs and timers, which must change nothing.
func (w *world) stale() {
	before := *w.machine
	before.effects = nil
	older := Fact{w.machine.run - 1, w.now}
	if w.machine.run == 0 {
		older.Run = w.machine.LastRun
	}
	for _, e := range []Event{Launched{older, 1}, Exited{older, ""}, ProbePassed{older, "", w.now}, Drained{older}, Refused{older}, StillUp{older, ""},
		Served{older, w.now, w.now, w.now}} {
		if len(w.machine.Step(e)) > 0 {
			panic(fmt.Sprintf("%#v of an earlier run had an effect", e))
		}
	}
	after := *w.machine
	after.effects = nil
	if !reflect.DeepEqual(before, after) {
		panic(fmt.Sprintf("stale facts changed the machine from\n%+v\nto\n%+v", before, after))
	}
}

// restart is what follows a panic: a new machine that knows what outlived the
// old one, and is told the rest.
func (w *world) restart() {
	old := w.machine
	w.let = time.Time{} // the next instance does not know of them
	w.machine = NewMachine(w.limits, old.last().Memory)
	w.machine.grounds = old.grounds
	waiters := append(append([]Waiter{}, old.leaving...), old.waiting...)
	switch last := old.last(); {
	case last.Run != 0:
		e := Adopt{Run: last.Run, Pid: old.pid, Gate: w.gateState(last.Run), Ending: last.State == StateStopping,
			Address: last.Address, ReadySince: last.ReadySince, LastUse: last.LastUse, At: w.now}
		if e.Gate != GateAbsent {
			e.LastUse = w.gate.lastUse
		}
		w.told = append(w.told, e)
	case last.State == StateFailed:
		w.told = append(w.told, Recall{last.State == StateFailed, last.Reason, last.Since, w.now})
	}
	if w.chance(30) {
		w.told = append(w.told, Panicked{"panic", w.now})
	}
	for _, waiter := range waiters {
		switch p := waiter.(*person); {
		case !p.down:
			p.request = true // the next instance cannot tell
			w.told = append(w.told, Acquire{p, w.now})
		case old.Retiring:
			w.told = append(w.told, Retire{p, w.now})
		default:
			w.told = append(w.told, Stop{p, old.Held, w.now})
		}
	}
	w.tell(Begun{w.now})
}

func (w *world) gateState(r Run) GateState {
	switch {
	case w.gate.run != r:
		return GateAbsent
	case w.gate.open:
		return GateOpen
	}
	return GateShut
}

// calmDown lets everything that is under way end. Then nobody may still wait.
func (w *world) calmDown() {
	w.calm = true
	for range 10_000 {
		if len(w.unanswered) == 0 && w.settledDown() {
			return
		}
		if !w.next() {
			break
		}
	}
	if len(w.unanswered) > 0 {
		panic(fmt.Sprintf("%d were never answered; the service is %v", len(w.unanswered), w.machine.state))
	}
	if !w.settledDown() {
		panic(fmt.Sprintf("the service stays %v", w.machine.state))
	}
}

func (w *world) settledDown() bool {
	m := w.machine
	return m.run == 0 && w.inFlight == 0 && len(w.alive) == 0 || m.state == StateReady && !m.sleeps()
}
