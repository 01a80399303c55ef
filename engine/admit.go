package engine

import (
	"strconv"
	"time"

	"dynapm/actors"
	"dynapm/netio"
)

// waiter is a request that waits, as the actor sees it.
type waiter struct{ parked *netio.Waiter }

func (w waiter) Grant() { w.parked.Grant() }

func (w waiter) Refuse(r actors.Refusal) { w.parked.Refuse(answer(r)) }

// Wait asks the actor to make the service ready. A target whose name is being resolved for the first time is waited for;
// what cannot be is one whose name means nothing.
func (r *route) Wait(w *netio.Waiter) {
	switch {
	case r.target != nil && r.target.at.Load() == nil:
		select {
		case <-r.target.tried:
			r.find(w)
		default:
			go func() {
				<-r.target.tried
				r.find(w)
			}()
		}
	case r.actor == nil:
		w.Grant() // the name was resolved just now, and its gate is always open
	default:
		r.actor.Wait(waiter{w})
	}
}

// find sends on a request that had to wait for the name of its target.
func (r *route) find(w *netio.Waiter) {
	if r.target.at.Load() == nil {
		w.Refuse(netio.Answer{Status: 502, Body: "The service cannot be reached.\n"})
		return
	}
	w.Grant()
}

// Cancel tells the actor that the client has left.
func (r *route) Cancel(w *netio.Waiter) {
	if r.actor != nil {
		r.actor.Cancel(waiter{w})
	}
}

// Unreachable has the actor look at a run that is ready and refuses connections. Of a target of its own a route says
// nothing: that is not where the service is checked.
func (r *route) Unreachable(b *netio.Backend) {
	if bound := r.last.Load(); r.actor != nil && r.target == nil && bound != nil && bound.backend == b {
		r.actor.Refused(bound.gate)
	}
}

// Served tells a wake, once for each run: the first of those who waited has the first byte of its reply. All of them
// get the field that says what they waited for, where that is wanted. The run is the lease's: another loop may have met
// the next one by now.
func (r *route) Served(l netio.Lease, t netio.Timing) string {
	gate := l.(holding).gate
	clock := gate.Start()
	if clock.Ready.Before(t.Accepted) {
		return "" // it waited for a run of an earlier engine to be recognized: nothing was woken
	}
	clock.Connected, clock.FirstByte = t.Connected, t.FirstByte
	run := uint64(gate.Run())
	if told := r.woke.Load(); told < run && r.woke.CompareAndSwap(told, run) {
		r.actor.Served(gate.Run(), t.Accepted, t.Connected, t.FirstByte)
		r.engine.journal.wake(r.service, t.Accepted, clock)
	}
	if !r.engine.cfg.ColdStartHeader {
		return ""
	}
	return serverTiming(t.Accepted, clock)
}

// serverTiming is the field that tells a client what its request has waited for: the steps that came after it, in
// milliseconds, each from the one before (the Server-Timing of the W3C; browsers show it).
func serverTiming(asked time.Time, c actors.StartClock) string {
	field, last := []byte("Server-Timing:"), asked
	for _, step := range []struct {
		name string
		end  time.Time
	}{{" launch", c.Launched}, {" listen", c.Listening}, {" connect", c.Connected}, {" reply", c.FirstByte}} {
		if !step.end.After(last) {
			continue // it was over before, or nobody knows when
		}
		if last != asked {
			field = append(field, ',')
		}
		field = append(append(field, step.name...), ";dur="...)
		field = strconv.AppendFloat(field, float64(step.end.Sub(last).Microseconds())/1000, 'f', -1, 64)
		last = step.end
	}
	if last == asked {
		return ""
	}
	return string(append(field, "\r\n"...))
}

// answer is what a client is told of a refusal: what it may do, nothing of what is inside.
func answer(r actors.Refusal) netio.Answer {
	switch r.Reason {
	case actors.StartTimeout:
		return netio.Answer{Status: 504, Body: "The service did not become ready in time.\n"}
	case actors.Backoff:
		return netio.Answer{Status: 503, RetryAfter: max(r.RetryAfter, time.Second),
			Body: "The service failed to start and is tried again later.\n"}
	case actors.Held, actors.Interrupted:
		return netio.Answer{Status: 503, Body: "The service is stopped.\n"}
	case actors.Overloaded:
		return netio.Answer{Status: 503, RetryAfter: time.Second, Body: "Too many requests wait for the service.\n"}
	case actors.Closing:
		return netio.Answer{Status: 503, RetryAfter: time.Second, Body: "The gateway is going down.\n"}
	}
	return netio.Answer{Status: 502, Body: "The service failed to start.\n"}
}
