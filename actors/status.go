package actors

import (
	"time"

	"dynapm/actors/keeper"
)

// Status is what a service is doing now.
type Status struct {
	Name  string
	State State
	Held  bool // stays down although requests arrive
	Run   Run  // the present one; 0: none
	Pid   int  // 0: none of ours
	// Process is what the keeper keeps of the present run; its Pid is 0 if nothing.
	Process    keeper.Process
	Address    string
	Since      time.Time // of the state
	ReadySince time.Time // zero: not ready in this run
	LastUse    time.Time // zero: never, as far as known
	RetryAt    time.Time // end of a backoff; zero: none
	Reason     string    // of the state
	Grounds    []Ground  // for it to be up although no request asks. Not to be written
	Holding    int       // leases that hold it up
	Passive    int       // leases that do not
	Waiting    int       // requests and orders that wait for it to be up
	Overloaded int       // requests refused because too many waited, since the engine began

	StartCount  int           // launches
	TotalUptime time.Duration // ready, with the present run
	LastStart   StartClock
	// RecentStarts are those that have ended, at most ten, the latest last. Not to
	// be written.
	RecentStarts []PastStart
}

// status is what the machine knows of a Status; the rest is the gate's.
func (m *Machine) status(now time.Time) Status {
	s := Status{
		State: m.state, Held: m.Held, Run: m.run, Pid: m.pid, Address: m.address,
		Since: m.since, ReadySince: m.readySince, Reason: m.reason, Waiting: len(m.waiting), Grounds: m.grounds,
		StartCount: m.StartCount, TotalUptime: m.TotalUptime, LastStart: m.LastStart, RecentStarts: m.RecentStarts,
	}
	if m.state == StateReady {
		s.Since = m.readySince // maybe under an earlier engine
	}
	if m.state == StateFailed && m.RetryAt.After(now) {
		s.RetryAt = m.RetryAt
	}
	if !m.readySince.IsZero() {
		s.TotalUptime += now.Sub(m.readySince)
	}
	return s
}
