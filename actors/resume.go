package actors

import (
	"fmt"
	"net"
	"time"
)

// Last is what an earlier engine knew of a service, as its last Record told. It
// is a hint: the keeper knows what processes there are.
type Last struct {
	Memory     Memory
	State      State
	Reason     string
	Run        Run       // 0: none
	Since      time.Time // of the state; zero: unknown
	ReadySince time.Time // of the run; zero: it was not
	LastUse    time.Time // of the service; zero: never, as far as known
	Address    string    // where the run was reached; "": not known
}

// asOf is l as a new engine takes it. Times that lie in the future are of a clock
// that was set back since. What was being taken down for good is wanted again,
// or there would be no service to spawn.
func (l Last) asOf(now time.Time) *Last {
	l.Since, l.LastUse, l.ReadySince = earlier(l.Since, now), earlier(l.LastUse, now), earlier(l.ReadySince, now)
	l.Memory.Retiring = false
	return &l
}

// leftover says what an earlier engine has left of a service: a run to be
// adopted, a failure or a stop to be recalled, or nil for nothing.
//
// A run that was up is looked for although no process of it was found: what a
// delegated service runs in is not known to the keeper, and of a managed one it
// remains to be said who has its address now.
func (s *Spec) leftover(now time.Time) Event {
	var last Last
	if s.Last != nil {
		last = *s.Last
	}
	e := Adopt{Run: last.Run, Address: last.Address, ReadySince: last.ReadySince, At: now}
	known := last.State != StateStopped && last.Run != 0
	if s.Found != nil {
		e.Pid, e.Launched, e.Reason = s.Found.Pid, s.Found.Started, "found running"
		if run := Run(s.Found.Run); !known || run != last.Run {
			// It was begun after the last that is known. So was its use.
			return Adopt{Run: run, Pid: e.Pid, Launched: e.Launched, Reason: e.Reason, At: now}
		}
	}
	switch {
	case known:
	case s.Last != nil && (last.State == StateFailed || last.State == StateStopped):
		return Recall{last.State == StateFailed, last.Reason, last.Since, now}
	default:
		return nil
	}
	if last.State == StateStarting {
		e.Began = last.Since
	}
	e.LastUse = last.LastUse
	if asked := last.Memory.LastStart.Accepted; last.Run == last.Memory.LastRun && asked.After(e.LastUse) {
		e.LastUse = earlier(asked, now) // the last use was of an earlier run
	}
	switch {
	case last.State == StateDraining && s.Shared: // who uses it has a claim to the rest of the time
		e.Draining, e.Gate, e.Reason = or(last.Since, now).Add(s.DrainTimeout), GateShut, last.Reason
	case last.State == StateDraining, last.State == StateStopping, last.State == StateFailed:
		e.Ending, e.Reason = true, "its stop was not finished"
	case moved(last.Address, s.Address):
		e.Ending, e.Reason = true, fmt.Sprintf("it is at %s, and is to be at %s", last.Address, s.Address)
	case s.Found == nil:
		e.Reason = fmt.Sprintf("it was %v when the engine ended", last.State)
	}
	return e
}

// resumes tells whether a run that an earlier engine has left will be adopted.
func (s *Spec) resumes() bool {
	_, resumes := s.leftover(time.Now()).(Adopt)
	return resumes
}

// moved tells whether a run that was reached at one address cannot be the
// service that is to be at the other. A host has many names and is not compared.
func moved(was, is string) bool {
	if was == "" || was == is {
		return false
	}
	_, port, err := net.SplitHostPort(was)
	_, other, otherErr := net.SplitHostPort(is)
	return err != nil || otherErr != nil || port != other
}
