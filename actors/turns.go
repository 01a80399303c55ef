package actors

import (
	"slices"
	"sync"
	"time"
)

// turns lets only so many starts be under way at one time. The others wait in
// the order in which they asked; a service has one at most.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []*turn
	closed  bool // the engine leaves: nothing more is begun
}

// turn is that of one start, from the launch until it has ended.
type turn struct {
	came func() // is called without the lock, by whoever gave it
	has  bool   // under the lock
}

// ask takes a turn at once, or waits for one: then came is called.
func (t *turns) ask(came func()) (n *turn, atOnce bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = &turn{came: came}
	if t.free > 0 && !t.closed {
		t.free--
		n.has = true
	} else {
		t.waiting = append(t.waiting, n)
	}
	return n, n.has
}

// end gives a turn back, whether it had come or not.
func (t *turns) end(n *turn) {
	if next := t.pass(n); next != nil {
		next.came()
	}
}

// pass returns whose turn it is now.
func (t *turns) pass(n *turn) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !n.has {
		t.waiting = slices.DeleteFunc(t.waiting, func(other *turn) bool { return other == n })
		return nil
	}
	n.has = false
	if len(t.waiting) == 0 || t.closed {
		t.free++
		return nil
	}
	next := t.waiting[0]
	t.waiting = slices.Delete(t.waiting, 0, 1)
	next.has = true
	return next
}

// close lets no further start begin.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// askTurn answers within the turn of the actor; one that has to wait for its turn
// is told later as well. why is what it has waited for already.
func (i *instance) askTurn(r Run, why string) {
	i.endTurn()
	n, atOnce := i.system.turns.ask(func() { i.tell(TurnCame{Fact{r, time.Now()}, "its turn to start has come"}) })
	i.legacy.turn = n
	if fact := (Fact{r, time.Now()}); atOnce {
		i.answer(TurnCame{fact, why})
	} else {
		i.answer(Queued{fact, "its turn to start"})
	}
}

// endTurn lets the next start begin.
func (i *instance) endTurn() {
	if n := i.legacy.turn; n != nil {
		i.legacy.turn = nil
		i.system.turns.end(n)
	}
}
