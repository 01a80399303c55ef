package actors

import (
	"slices"
	"sync"
)

// queue is of the requests that wait for one of the leases which a ready service
// gives at one time, in the order of arrival. Only a service with MaxConcurrent has
// one. It belongs to the gate of the present run: when that is shut, all of it is
// moved to the actor.
//
// While somebody waits the gate is marked: newcomers are not let in, and whoever
// gives a lease back has the next one served. The mark is set and cleared under the
// lock alone.
type queue struct {
	most int // may wait

	mu         sync.Mutex
	gate       *Gate // that is marked
	waiting    []Waiter
	let        map[Waiter]*Gate // who was granted a lease, and has not come for it
	overloaded int              // refused because too many waited
}

func newQueue(most int) *queue { return &queue{most: most, let: map[Waiter]*Gate{}} }

// wait is false if the gate is shut: then it is the actor who is to be asked.
func (q *queue) wait(g *Gate, w Waiter) bool {
	q.mu.Lock()
	answer, open := q.enter(g, w)
	q.mu.Unlock()
	if answer != nil {
		answer()
	}
	return open
}

// enter returns the answer that is to be given at once, if there is one.
func (q *queue) enter(g *Gate, w Waiter) (answer func(), open bool) {
	for {
		word := g.word.Load()
		switch {
		case word&openBit == 0:
			return nil, false
		case word&queuedBit == 0 && g.hasRoom(word):
			if g.word.CompareAndSwap(word, word+oneHolding) {
				q.let[w] = g
				return w.Grant, true
			}
		case len(q.waiting) >= q.most:
			q.overloaded++
			return func() { w.Refuse(Refusal{Reason: Overloaded, RetryAfter: overloadedRetry}) }, true
		case g.word.CompareAndSwap(word, word|queuedBit):
			q.gate, q.waiting = g, append(q.waiting, w)
			return nil, true
		}
	}
}

// serve lets in as many as there is room for.
func (q *queue) serve(g *Gate) {
	for w := q.next(g); w != nil; w = q.next(g) {
		w.Grant()
	}
}

func (q *queue) next(g *Gate) Waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.gate == g && len(q.waiting) > 0 {
		word := g.word.Load()
		if word&openBit == 0 || !g.hasRoom(word) {
			break
		}
		with := word + oneHolding
		if len(q.waiting) == 1 {
			with &^= queuedBit
		}
		if g.word.CompareAndSwap(word, with) {
			w := q.waiting[0]
			q.waiting = slices.Delete(q.waiting, 0, 1)
			q.let[w] = g
			return w
		}
	}
	return nil
}

// claim is the gate on which w was granted a lease; nil: it was not.
func (q *queue) claim(w Waiter) *Gate {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.let[w]
	delete(q.let, w)
	return g
}

// leave forgets whoever waits here, or gives back what it was granted. It is false
// if it does not know it.
func (q *queue) leave(w Waiter) bool {
	if g := q.claim(w); g != nil {
		g.Release()
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.waiting, w)
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	if len(q.waiting) == 0 {
		q.gate.word.And(^uint64(queuedBit))
	}
	return true
}

// clear empties the queue of a gate that was shut, or of a service that is left.
func (q *queue) clear() []Waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting = nil
	if len(all) > 0 {
		q.gate.word.And(^uint64(queuedBit))
	}
	return all
}

func (q *queue) counts() (waiting, overloaded int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.overloaded
}
