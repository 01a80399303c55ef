package actors

import (
	"fmt"
	"slices"
	"time"
)

// stopped: nothing runs. Whoever wants the service makes it start.
func (m *Machine) stopped(e Event) {
	switch e := e.(type) {
	case Acquire:
		if m.park(e.Waiter) {
			m.launch("a request")
		}
	case Start:
		if m.order(e.Waiter) {
			m.launch("start ordered")
		}
	case Stop:
		m.stayDown(e)
	case Retire:
		m.retire(e)
	case KeepUp:
		if m.keepUp(e) {
			m.launch(e.Why)
		}
	case Adopt:
		m.adopt(e)
	case Recall:
		m.recall(e)
	case Begun:
		m.comeBack()
	case TimerFired:
		m.launch(m.whyKept())
	}
}

// launch is the beginning of a run, which asks for what it depends on and for its
// turn: how that stands is known within the turn of the actor. Nothing of an
// earlier run is left when it is called.
func (m *Machine) launch(reason string) {
	m.LastRun++
	m.LastStart = StartClock{Accepted: m.now}
	m.run, m.process, m.verifying, m.ordered = m.LastRun, asking, false, false
	m.before, m.cause, m.Down = before{}, reason, false
	m.emit(Ask{m.run})
}

// queue has a start wait, for as long as that takes: each of those before it, and
// what it depends on, has its own limit of time.
func (m *Machine) queue(what string) { m.become(StateStarting, m.cause+", waiting for "+what) }

// lack gives up a start for want of what the service depends on.
func (m *Machine) lack(e Lacking) {
	e.Refusal.RetryAfter = max(e.Refusal.RetryAfter, backoff(m.Failures+1))
	m.refuseWaiting(e.Refusal)
	m.failure = e.Refusal.Detail
	m.endStart(OutcomeFailed)
	m.ended(e.Refusal.Detail)
}

// begin is the launch itself. The time that a start may take counts from here.
func (m *Machine) begin(reason string) {
	if reason == "" {
		reason = m.cause
	}
	m.StartCount++
	m.process = launching
	m.become(StateStarting, reason)
	m.emit(Launch{m.run})
	m.arm(m.now.Add(m.limits.StartTimeout + launchGrace))
}

// adopt takes up a run that an earlier life began: what was half started is
// completed, what was half stopped is stopped.
func (m *Machine) adopt(e Adopt) {
	if e.Run != m.LastRun {
		m.LastStart = StartClock{Launched: e.Launched}
	}
	m.LastRun = max(m.LastRun, e.Run)
	m.run, m.process, m.pid, m.gate, m.address = e.Run, running, e.Pid, e.Gate, e.Address
	m.before = before{e.ReadySince, e.LastUse, e.Began}
	switch {
	case !e.Draining.IsZero():
		m.readySince = e.ReadySince
		m.become(StateDraining, e.Reason)
		m.arm(e.Draining)
	case m.Held || m.Retiring:
		m.stop(m.orderReason())
	case e.Ending:
		m.stop(e.Reason)
	default:
		m.verify(e.Reason)
	}
}

// verify makes sure of a run instead of launching one.
func (m *Machine) verify(reason string) {
	m.verifying, m.failure = true, ""
	m.become(StateStarting, reason)
	m.emit(Verify{m.run, m.now.Add(m.limits.StartTimeout), m.coming()})
	m.arm(m.now.Add(m.limits.StartTimeout + launchGrace))
}

// coming is until when a run may take to be seen: what is left to a start that
// was under way, and no time for one that had ended. It may have begun long after
// it was asked for.
func (m *Machine) coming() time.Time {
	c := m.LastStart
	began := or(c.Launched, later(c.Accepted, m.before.began))
	if began.IsZero() || !c.Ready.IsZero() {
		return time.Time{}
	}
	return earlier(began, m.now).Add(m.limits.StartTimeout)
}

// starting: a run was begun. It goes on when nobody waits for it any longer.
func (m *Machine) starting(e Event) {
	switch e := e.(type) {
	case Acquire:
		m.park(e.Waiter)
	case KeepUp:
		m.keepUp(e)
	case Start:
		m.refuse(e.Waiter, Refusal{Reason: AlreadyUp})
	case Stop, Retire:
		m.join(e)
		m.refuseWaiting(Refusal{Reason: Interrupted})
		m.stop(m.orderReason())
	case Launched:
		if m.launched(e) {
			m.emit(Probe{m.run, m.now.Add(m.limits.StartTimeout)})
		}
	case Returned:
		m.pid = 0
	case ProbePassed:
		m.open(e)
	case ProbeFailed:
		if e.Hopeless {
			m.giveUp(StartFailed, OutcomeFailed, e.Reason)
		} else {
			m.giveUp(StartTimeout, OutcomeTimeout, e.Reason)
		}
	case TimerFired:
		m.giveUp(StartTimeout, OutcomeTimeout, fmt.Sprintf("not ready within %v, and no word of why", m.limits.StartTimeout))
	case Exited:
		if !m.verifying { // else no start failed: it is gone, and the next may begin
			m.refuseStart(StartFailed, e.Reason)
			m.failure = e.Reason
			m.endStart(OutcomeFailed)
		}
		m.ended(e.Reason)
	}
}

// launched takes in the process of the run. It is false for a run that was
// adopted meanwhile.
func (m *Machine) launched(e Launched) bool {
	if m.process != launching {
		return false
	}
	m.process, m.pid = running, e.Pid
	m.LastStart.Launched = e.At
	m.remember() // the pid: by it the process is known again if the keeper is killed too
	return true
}

// served completes the clock of the start that the request waited for. One that
// came when that was over has waited for something else.
func (m *Machine) served(e Served) {
	c := &m.LastStart
	if m.run != m.LastRun || c.Ready.Before(e.Accepted) || !c.FirstByte.IsZero() {
		return
	}
	c.Connected, c.FirstByte = e.Connected, e.FirstByte
	if n := len(m.RecentStarts); n > 0 && m.RecentStarts[n-1].Run == m.run {
		m.RecentStarts = slices.Clone(m.RecentStarts) // or those who have a copy would see it change
		m.RecentStarts[n-1].Clock = *c
	}
	m.remember()
}

// giveUp ends a start that did not become ready. The process may be alive: it
// must be gone before the next one is launched.
func (m *Machine) giveUp(why RefusalReason, how Outcome, reason string) {
	m.refuseStart(why, reason)
	m.failure = reason
	m.endStart(how)
	m.stop(reason)
}

// refuseStart answers all who waited for a start that has just failed.
func (m *Machine) refuseStart(why RefusalReason, detail string) {
	m.refuseWaiting(Refusal{Reason: why, RetryAfter: backoff(m.Failures + 1), Detail: detail})
}

// endStart puts the start of the present run among those that have ended, with
// the first outcome it is called with.
func (m *Machine) endStart(how Outcome) {
	past := m.RecentStarts
	if n := len(past); m.run == 0 || n > 0 && past[n-1].Run == m.run || m.LastStart.Accepted.IsZero() {
		return // it is there already, or was in a life of which nothing is known
	}
	past = slices.Clip(past[max(0, len(past)+1-recentStarts):]) // or those who have a copy would see it change
	m.RecentStarts = append(past, PastStart{m.run, m.LastStart, how})
}
