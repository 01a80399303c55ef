package actors

import (
	"fmt"
	"time"
)

// drain begins a stop by order: requests that come now park for the next run,
// those under way get DrainTimeout to end.
func (m *Machine) drain() {
	m.become(StateDraining, m.orderReason())
	m.shut()
	m.arm(m.now.Add(m.limits.DrainTimeout))
}

// draining: the gate is shut and the last leases are out.
func (m *Machine) draining(e Event) {
	switch e := e.(type) {
	case Acquire:
		m.park(e.Waiter)
	case KeepUp:
		m.keepUp(e)
	case Start:
		m.order(e.Waiter)
	case Stop, Retire:
		m.join(e)
	case Drained:
		m.stop("drained")
	case TimerFired:
		m.stop(fmt.Sprintf("cut what was left after %v", m.limits.DrainTimeout))
	case Returned:
		m.pid = 0
	case Exited: // it was to end: no failure
		m.ended(e.Reason)
	}
}

// stop tells the run to end. Every stop, whatever its cause, passes here.
func (m *Machine) stop(reason string) {
	m.readySince, m.before.readySince = or(m.readySince, m.before.readySince), time.Time{}
	m.account()
	m.endStart(OutcomeInterrupted)
	m.become(StateStopping, reason)
	m.disconnect(true)
	switch m.process {
	case asking:
		m.process = absent
		m.emit(Withdraw{m.run})
	case launching: // nothing to signal yet: Launched will find us here
	case killed:
		m.emit(Kill{m.run})
	default:
		m.emit(Term{m.run})
	}
	m.arm(m.now.Add(m.limits.StopTimeout))
}

// stopping: the run was told to end. Whoever wants the service waits for the
// next run, which begins when this one is gone.
func (m *Machine) stopping(e Event) {
	switch e := e.(type) {
	case Acquire:
		m.park(e.Waiter)
	case KeepUp:
		m.keepUp(e)
	case Start:
		m.order(e.Waiter)
	case Stop, Retire:
		m.join(e)
	case Launched:
		if m.launched(e) {
			m.emit(Term{m.run})
			m.arm(m.now.Add(m.limits.StopTimeout))
		}
	case Returned:
		m.pid = 0
	case TimerFired:
		m.insist()
	case StillUp:
		m.process = running
		m.stopFailed(e.Reason)
	case Exited: // why it was stopped says more than how it ended
		m.ended(m.reason + ", " + e.Reason)
	}
}

// insist is for a run that did not end in time.
func (m *Machine) insist() {
	switch m.process {
	case launching:
		m.stopFailed("its launch has not come back")
	case killed:
		m.stopFailed(fmt.Sprintf("still there %v after it was killed", killGrace))
	default:
		m.process = killed
		m.note(fmt.Sprintf("still there after %v: killed", m.limits.StopTimeout))
		m.emit(Kill{m.run})
		m.arm(m.now.Add(killGrace))
	}
}

// ended closes the books of a run of which nothing is left, and begins the
// next if somebody waits for it.
func (m *Machine) ended(reason string) {
	m.disconnect(false)
	m.account()
	m.endStart(OutcomeLost)
	m.run, m.process, m.pid, m.address, m.before = 0, absent, 0, "", before{}
	m.stopFailures, m.RetryAt = 0, time.Time{}
	if m.failure != "" {
		m.fail()
	} else {
		m.become(StateStopped, reason)
	}
	m.grantLeaving()
	if m.Retiring {
		m.emit(End{})
		return
	}
	m.next("requests came meanwhile")
	m.comeBack()
}

// account adds the time the run was ready once that is over, and forgets
// earlier failures if it was long.
func (m *Machine) account() {
	if m.readySince.IsZero() {
		return
	}
	up := m.now.Sub(m.readySince)
	m.readySince = time.Time{}
	m.TotalUptime += up
	if up >= proven {
		m.Failures = 0
	}
}

// shut closes the gate for good, if it is open.
func (m *Machine) shut() {
	if m.gate == GateOpen {
		m.gate = GateShut
		m.emit(Shut{Run: m.run})
	}
}

// disconnect shuts the gate and ends the connections to the run, once.
func (m *Machine) disconnect(cut bool) {
	m.shut()
	if m.gate == GateShut {
		m.gate = GateAbsent
		m.emit(Close{m.run, cut})
	}
}

// orderReason says who wants the service down.
func (m *Machine) orderReason() string {
	switch {
	case m.Retiring:
		return "taken down for good"
	case m.Held:
		return "stop ordered, to be held down"
	}
	return "stop ordered"
}
