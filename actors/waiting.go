package actors

import (
	"slices"
	"time"
)

// overloadedRetry is when a request refused for want of room may come again.
const overloadedRetry = time.Second

// park lets a request wait for the service to be up, or says why it may not.
func (m *Machine) park(w Waiter) bool {
	switch {
	case m.Retiring:
		m.refuse(w, Refusal{Reason: Closing})
	case m.Held:
		m.refuse(w, Refusal{Reason: Held})
	case len(m.waiting) >= m.limits.MaxPending:
		m.refuse(w, Refusal{Reason: Overloaded, RetryAfter: overloadedRetry})
	default:
		m.waiting, m.asked = append(m.waiting, w), true
		return true
	}
	return false
}

// order is park for an operator, whose start ends a hold and counts against no
// limit.
func (m *Machine) order(w Waiter) bool {
	if m.Retiring {
		m.refuse(w, Refusal{Reason: Closing})
		return false
	}
	m.Held, m.Down, m.ordered = false, false, true
	m.waiting = append(m.waiting, w)
	return true
}

// join adds whoever sent a Stop or Retire to those who wait for the service to
// be down, and answers the requests that can no longer hope for a next run.
func (m *Machine) join(e Event) {
	switch e := e.(type) {
	case Stop:
		m.leaving = append(m.leaving, e.Waiter)
		m.Held, m.Down = m.Held || e.Hold, true
	case Retire:
		m.leaving = append(m.leaving, e.Waiter)
		m.Retiring = true
	}
	if m.Retiring {
		m.refuseWaiting(Refusal{Reason: Closing})
	} else if m.Held {
		m.refuseWaiting(Refusal{Reason: Held})
	}
}

// cancel forgets a waiter wherever it waits. What it asked for goes on.
func (m *Machine) cancel(w Waiter) {
	is := func(other Waiter) bool { return other == w }
	m.waiting = slices.DeleteFunc(m.waiting, is)
	m.asked = m.asked && len(m.waiting) > 0
	m.leaving = slices.DeleteFunc(m.leaving, is)
}

func (m *Machine) grant(w Waiter) {
	m.answerGround(w, true)
	m.emit(Grant{w})
}

func (m *Machine) refuse(w Waiter, r Refusal) {
	m.answerGround(w, false)
	m.emit(Refuse{w, r})
}

func (m *Machine) grantWaiting() {
	for _, w := range m.waiting {
		m.grant(w)
	}
	if m.asked {
		m.let = m.now
	}
	m.waiting, m.asked = empty(m.waiting), false
}

func (m *Machine) refuseWaiting(r Refusal) {
	for _, w := range m.waiting {
		m.refuse(w, r)
	}
	m.waiting, m.asked = empty(m.waiting), false
}

func (m *Machine) grantLeaving() {
	for _, w := range m.leaving {
		m.grant(w)
	}
	m.leaving = empty(m.leaving)
}

func (m *Machine) refuseLeaving(r Refusal) {
	for _, w := range m.leaving {
		m.refuse(w, r)
	}
	m.leaving = empty(m.leaving)
}

// empty keeps the room of a list, but none of the waiters alive.
func empty(list []Waiter) []Waiter {
	clear(list)
	return list[:0]
}
