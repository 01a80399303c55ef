package actors

import "slices"

// ledger holds everybody who is owed an answer, in the order of arrival. It
// outlives an instance of the actor, so that a panic loses nobody, and it is why
// nobody is answered twice.
type ledger struct {
	arrivals int
	owed     map[Waiter]debt
}

type debt struct {
	arrival int
	down    bool // wants the service to be down
}

func (l *ledger) add(w Waiter, down bool) {
	if l.owed == nil {
		l.owed = make(map[Waiter]debt)
	}
	l.arrivals++
	l.owed[w] = debt{l.arrivals, down}
}

// settle is false if w is owed nothing (any longer).
func (l *ledger) settle(w Waiter) bool {
	_, owed := l.owed[w]
	delete(l.owed, w)
	return owed
}

// all returns those who want the service down, or up, in the order of arrival.
func (l *ledger) all(down bool) []Waiter {
	var list []Waiter
	for w, d := range l.owed {
		if d.down == down {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b Waiter) int { return l.owed[a].arrival - l.owed[b].arrival })
	return list
}
