package actors

import (
	"fmt"
	"time"
)

// open lets requests in: those that waited, and from now on all through the
// gate, without a message.
func (m *Machine) open(e ProbePassed) {
	if m.LastStart.Ready.IsZero() { // else the start had ended before it was taken up
		m.LastStart.Listening, m.LastStart.Ready = e.Listening, m.now
	}
	m.endStart(OutcomeReady)
	m.address, m.gate, m.doubted = e.Address, GateOpen, false
	m.readySince = or(m.before.readySince, m.now)
	lastUse := or(m.before.lastUse, m.now)
	m.before, m.let = before{}, time.Time{}
	if len(m.waiting) > 0 {
		lastUse = m.now // they use it now, but have yet to come through the gate
	}
	m.emit(Open{m.run, e.Address, lastUse})
	m.become(StateReady, "ready at "+e.Address) // told before anybody can be served
	m.grantWaiting()
	m.armIdle(earlier(lastUse, m.now))
}

// or is the first of two times that is known.
func or(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// armIdle sets the timer for when the service could first be stopped as idle.
func (m *Machine) armIdle(lastUse time.Time) {
	if m.sleeps() {
		m.arm(later(lastUse.Add(m.limits.IdleTimeout), m.readySince.Add(m.limits.MinUptime)))
	}
}

// expected is since when a request is expected that was let in and has not come
// through; zero: none is.
func (m *Machine) expected() time.Time {
	if m.now.Sub(m.let) >= expectation {
		m.let = time.Time{}
	}
	return m.let
}

// inUse waits for the next time at which the service could be idle. While a
// request is expected that is looked for again and again, since its coming tells
// nobody.
func (m *Machine) inUse(lastUse time.Time) {
	switch let := m.expected(); {
	case let.IsZero():
		m.armIdle(lastUse)
	case lastUse.After(let):
		m.let = time.Time{}
		m.armIdle(lastUse)
	default:
		m.armIdle(earlier(m.now, let.Add(expectation-m.limits.IdleTimeout)))
	}
}

// ready: the gate is open. A request that found it shut came while it was
// tried for idleness, and tries again.
func (m *Machine) ready(e Event) {
	switch e := e.(type) {
	case Acquire:
		m.grant(e.Waiter)
		m.let = m.now
	case KeepUp:
		m.stayUp(e)
	case Start:
		m.refuse(e.Waiter, Refusal{Reason: AlreadyUp})
	case Stop, Retire:
		m.join(e)
		m.drain()
	case TimerFired:
		m.emit(Shut{m.run, m.now.Add(-m.limits.IdleTimeout), m.expected()})
	case InUse:
		m.inUse(e.LastUse)
	case Drained:
		m.gate = GateShut
		m.stop(fmt.Sprintf("idle for %v", m.limits.IdleTimeout))
	case Returned:
		// It took longer than the service took to be ready; or it was the
		// service, and ended. Only the check can tell.
		m.pid, m.doubted = 0, true
		m.emit(Verify{Run: m.run, Until: m.now.Add(m.limits.StartTimeout)})
	case Refused:
		// One look at a time; what starts anew by itself has the time of a start.
		if !m.doubted {
			m.doubted = true
			m.emit(Doubt{m.run, m.address, m.now.Add(m.limits.StartTimeout)})
		}
	case ProbePassed:
		m.doubted = false
	case ProbeFailed:
		m.failure = e.Reason
		m.stop(e.Reason)
	case Exited:
		if up := m.now.Sub(m.readySince); up < settled || m.keptUp() && up < proven {
			m.failure = e.Reason
		}
		m.ended(e.Reason)
	}
}
