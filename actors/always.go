package actors

import "slices"

// A service that is always to be up is started when the engine is, and again
// whenever it has ended, with the backoff of failed starts; it is never idle. An
// operator can have it down: then the next request, a start by order or the next
// engine brings it up again, and one that is held waits for the order.
//
// For as long as there is a ground for it, such as a service that depends on it,
// any service is kept up in the same way.

const whyAlways = "it is always to be up"

// Ground is why a service is to be up although no request asks for it.
type Ground struct {
	By  string // the service that depends on it: while there is one, an operator cannot stop it; "": the schedule
	Why string

	waiter Waiter // who has not been answered yet: if it is refused, the ground is gone
}

// keptUp tells whether the service is to be up although nobody asks for it.
func (m *Machine) keptUp() bool {
	return (m.limits.Always || len(m.grounds) > 0) && !m.Held && !m.Retiring && !m.Down
}

// whyKept is the reason for a start that nobody asked for.
func (m *Machine) whyKept() string {
	if m.limits.Always || len(m.grounds) == 0 {
		return whyAlways
	}
	return m.grounds[0].Why
}

// sleeps tells whether the service is ever stopped as idle, as things are now.
func (m *Machine) sleeps() bool { return m.limits.IdleTimeout > 0 && len(m.grounds) == 0 }

// addGround takes in a ground, in place of the one that the same had before.
func (m *Machine) addGround(e KeepUp) {
	m.dropGround(e.By)
	m.grounds = append(m.grounds, Ground{e.By, e.Why, e.Waiter})
}

// explain renews the words of a ground. It is false if there is none of the same:
// otherwise whatever follows from the ground has been done, and what an operator
// has ordered since stays.
func (m *Machine) explain(e KeepUp) bool {
	at := slices.IndexFunc(m.grounds, func(g Ground) bool { return g.By == e.By })
	if at < 0 {
		return false
	}
	m.grounds = slices.Clone(m.grounds) // others may have it
	m.grounds[at].Why = e.Why
	return true
}

// answerGround is called with the answer to a waiter that may have a ground. One
// that is refused makes no further try worth while.
func (m *Machine) answerGround(w Waiter, granted bool) {
	for i, g := range m.grounds {
		if g.waiter != w {
			continue
		}
		m.dropGround(g.By)
		if granted {
			m.grounds = slices.Insert(m.grounds, i, Ground{By: g.By, Why: g.Why})
		}
		return
	}
}

// dropGround copies the list: others may have it.
func (m *Machine) dropGround(by string) {
	m.grounds = slices.DeleteFunc(slices.Clone(m.grounds), func(g Ground) bool { return g.By == by })
}

// keepUp lets whoever has a ground wait for the service, if somebody does. It is
// false if the service may not be up.
func (m *Machine) keepUp(e KeepUp) bool {
	var refusal RefusalReason
	switch {
	case m.Retiring:
		refusal = Closing
	case m.Held:
		refusal = Held
	default:
		m.Down = false
		if e.Waiter != nil {
			m.waiting = append(m.waiting, e.Waiter)
		}
		return true
	}
	if e.Waiter != nil {
		m.refuse(e.Waiter, Refusal{Reason: refusal})
	}
	return false
}

// stayUp is keepUp for a service that is ready.
func (m *Machine) stayUp(e KeepUp) {
	m.timer = 0 // that of its idleness
	m.note(e.Why)
	if e.Waiter != nil {
		m.grant(e.Waiter)
	}
}

// letGo drops a ground. With the last one the idle clock begins, and a start that
// was to come is not wanted any more.
func (m *Machine) letGo(e LetGo) {
	if !slices.ContainsFunc(m.grounds, func(g Ground) bool { return g.By == e.By }) {
		return
	}
	m.dropGround(e.By)
	switch {
	case m.run == 0 && !m.keptUp():
		m.timer = 0
	case m.state == StateReady && m.sleeps():
		m.note(e.Why)
		m.armIdle(m.now)
	}
}

// neededBy is a service that depends on this one and is not down; "": none is.
func (m *Machine) neededBy() string {
	for _, g := range m.grounds {
		if g.By != "" {
			return g.By
		}
	}
	return ""
}

// comeBack sees to it that a service that is kept up will run: at once, or when
// its backoff ends. What is under way comes to an end that leads here.
func (m *Machine) comeBack() {
	if m.run == 0 && m.keptUp() {
		m.arm(later(m.RetryAt, m.now))
	}
}

// layDown ends a wait that would lead to a start, by order. It is false if
// there is none.
func (m *Machine) layDown() bool {
	if m.run != 0 || m.timer == 0 {
		return false
	}
	m.timer = 0
	return true
}
