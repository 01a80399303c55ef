package actors

import "time"

// failed: the last start failed and nothing runs; or a stop failed, and the
// run is still there (its number is kept).
func (m *Machine) failed(e Event) {
	switch e := e.(type) {
	case Acquire:
		if m.park(e.Waiter) {
			m.next("a request")
		}
	case KeepUp:
		if m.keepUp(e) {
			m.next(e.Why)
			m.comeBack()
		}
	case Start:
		if m.order(e.Waiter) {
			m.next("start ordered")
		}
	case Stop:
		if m.run == 0 {
			m.stayDown(e)
			return
		}
		m.join(e)
		m.stop(m.orderReason())
	case Retire:
		if m.run == 0 {
			m.retire(e)
			return
		}
		m.join(e)
		m.stop(m.orderReason())
	case Launched:
		if m.launched(e) {
			m.stop("launched too late")
		}
	case Returned:
		m.pid = 0
	case StillUp: // later than its stop was given up: the next one begins anew
		m.process = running
	case Begun:
		m.comeBack()
	case TimerFired:
		if m.run == 0 {
			m.launch(m.whyKept())
			return
		}
		m.stop("stopping it again")
	case Exited:
		m.ended(e.Reason)
	}
}

// next serves those who wait for the service to be up, when nothing is under
// way.
func (m *Machine) next(reason string) {
	switch {
	case len(m.waiting) == 0:
	case m.run != 0 && m.process == running: // its stop failed: it may serve yet
		m.verify(reason)
	case m.run != 0, m.now.Before(m.RetryAt) && !m.ordered:
		m.refuseWaiting(Refusal{Reason: Backoff, RetryAfter: m.RetryAt.Sub(m.now), Detail: m.reason})
	default:
		m.launch(reason)
	}
}

// fail notes that a run failed. The next request tries again at once after a
// first failure, and after a while that grows after further ones.
func (m *Machine) fail() {
	m.Failures++
	m.RetryAt = m.now.Add(backoff(m.Failures))
	reason := m.failure
	m.failure = ""
	m.become(StateFailed, reason)
}

// recall stays in what an earlier life has come to. The backoff of a failure was
// measured by a wall clock, which may have been set back since.
func (m *Machine) recall(e Recall) {
	if e.Failed {
		m.RetryAt = earlier(m.RetryAt, m.now.Add(backoff(m.Failures)))
		m.become(StateFailed, e.Reason)
	}
	m.reason, m.since = e.Reason, earlier(e.Since, m.now)
	if e.Failed {
		m.remember() // become has told another time
	}
}

// stopFailed: the run is still there. It keeps its number, nothing is launched
// beside it, and its stop is tried again with backoff.
func (m *Machine) stopFailed(reason string) {
	m.stopFailures++
	m.RetryAt = m.now.Add(backoff(m.stopFailures + 1))
	m.become(StateFailed, reason)
	m.arm(m.RetryAt)
	m.refuseLeaving(Refusal{Reason: StopFailed, Detail: reason})
	m.next("requests came meanwhile")
}

// backoff is how long the tries rest after n failures in a row: 0, 1, 2, 4 ...
// 30 s.
func backoff(n int) time.Duration {
	if n < 2 {
		return 0
	}
	return min(backoffStep<<min(n-2, 10), backoffLimit)
}

// stayDown answers a stop of what is not up. There is nothing to stop, but
// there may be something to hold.
func (m *Machine) stayDown(e Stop) {
	lain := m.layDown()
	m.Down = true
	switch {
	case e.Hold:
		m.Held = true
		m.note("held down by order")
	case lain:
		m.note("not started again, by order")
	default:
		m.refuse(e.Waiter, Refusal{Reason: NotUp})
		return
	}
	m.grant(e.Waiter)
}

// retire ends the actor of a service of which nothing runs.
func (m *Machine) retire(e Retire) {
	m.Retiring = true
	m.layDown()
	m.grant(e.Waiter)
	m.emit(End{})
}

// giveUpOnPanic fails a service whose actor cannot be trusted to run it. What
// runs of it is stopped by the timer of a failed stop, or taken up again by the
// next request.
func (m *Machine) giveUpOnPanic(reason string) {
	m.refuseStart(StartFailed, reason)
	m.failure = reason
	m.endStart(OutcomeFailed)
	if m.run == 0 || m.process == asking {
		m.run, m.process = 0, absent
		m.fail()
		m.comeBack()
		return
	}
	m.disconnect(true)
	m.stopFailed(reason)
}
