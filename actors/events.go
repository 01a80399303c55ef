package actors

import "time"

// An Event is what a machine is told: a command of somebody who wants
// something, or a fact about the world. Every event says when it was.
type Event interface{ when() time.Time }

// Commands. The Waiter of a command gets exactly one answer, unless a Cancel
// comes first.
type (
	// Acquire: a request wants the service to be up.
	Acquire struct {
		Waiter Waiter
		At     time.Time
	}
	// Cancel: whoever waited has left. It is not answered.
	Cancel struct {
		Waiter Waiter
		At     time.Time
	}
	// Start: an operator wants the service to be up, held or not.
	Start struct {
		Waiter Waiter
		At     time.Time
	}
	// Stop: an operator wants the service to be down; with Hold, to stay down
	// although requests arrive, until a Start.
	Stop struct {
		Waiter Waiter
		Hold   bool
		At     time.Time
	}
	// Retire: the service is to be down for good; its actor ends with it.
	Retire struct {
		Waiter Waiter
		At     time.Time
	}
	// KeepUp: the service is to be up until LetGo: it is not idle, and when it ends it
	// is started again. The waiter, if there is one, wants to know when it is up.
	KeepUp struct {
		Ground
		Waiter Waiter // may be nil
		At     time.Time
	}
	// LetGo: a ground for KeepUp is gone.
	LetGo struct {
		By, Why string
		At      time.Time
	}
	// Begun: the machine knows what an earlier life has left, and goes on by itself.
	Begun struct{ At time.Time }
	// Adopt: there is, or may be, a run that an earlier life of ours began.
	Adopt struct {
		Run        Run
		Pid        int
		Launched   time.Time
		Began      time.Time // its start, as far as it was under way; zero: it was not, or nobody knows
		Gate       GateState // as it was left: if open, requests reach it meanwhile
		Ending     bool      // it was told to end, or is to be
		Draining   time.Time // until when its last requests have time to end; zero: it was not draining
		Address    string    // where it was reached
		ReadySince time.Time // zero: it was not, or nobody knows
		LastUse    time.Time // zero: unknown
		Reason     string    // why it is taken up
		At         time.Time
	}
	// Recall: nothing runs, and an earlier life said why: the last start failed, or
	// the service was stopped.
	Recall struct {
		Failed bool
		Reason string
		Since  time.Time // zero: unknown
		At     time.Time
	}
)

// Fact is the part common to all facts about a run.
type Fact struct {
	Run Run
	At  time.Time
}

// Facts.
type (
	// Queued: the start has to wait, for its turn or for what the service depends on.
	Queued struct {
		Fact
		For string
	}
	// TurnCame: the start may begin.
	TurnCame struct {
		Fact
		Reason string // "": it did not have to wait
	}
	// Lacking: what the service depends on does not come up.
	Lacking struct {
		Fact
		Refusal Refusal // with a Detail that names it
	}
	// Launched: the command of the run was executed.
	Launched struct {
		Fact
		Pid int
	}
	// Returned: the start command of a delegated service came back with
	// success. What it started is not our child.
	Returned struct{ Fact }
	// ProbePassed: the service can be used, at Address.
	ProbePassed struct {
		Fact
		Address   string
		Listening time.Time // of the first successful connect; zero: unknown
	}
	// ProbeFailed: the time given to a Probe or Verify is over, or more of it
	// would not help.
	ProbeFailed struct {
		Fact
		Reason   string
		Hopeless bool // there is nothing to be checked: its name does not resolve
	}
	// Exited: nothing of the run is left, or nothing could be launched.
	Exited struct {
		Fact
		Reason string
	}
	// Served: the first of those who waited for the start has the first byte of
	// its reply.
	Served struct {
		Fact
		Accepted, Connected, FirstByte time.Time // of its request
	}
	// StillUp: what Term or Kill asked for did not work.
	StillUp struct {
		Fact
		Reason string
	}
	// Drained: the gate is shut and no lease holds the service up. It is the
	// answer to both forms of Shut.
	Drained struct{ Fact }
	// Refused: a request could not be brought to the service, as nobody listened.
	Refused struct{ Fact }
	// InUse: the gate was not shut for idleness, because of a use at LastUse.
	InUse struct {
		Fact
		LastUse time.Time
	}
	// TimerFired: the time of an Arm has come.
	TimerFired struct {
		Seq Seq
		At  time.Time
	}
	// Panicked: an earlier instance of the actor panicked once too often.
	Panicked struct {
		Reason string
		At     time.Time
	}
)

// isOfTurn tells the facts about a start that has not begun from all others.
func isOfTurn(fact any) bool {
	switch fact.(type) {
	case Queued, TurnCame, Lacking:
		return true
	}
	return false
}

func (e Acquire) when() time.Time    { return e.At }
func (e Cancel) when() time.Time     { return e.At }
func (e Start) when() time.Time      { return e.At }
func (e Stop) when() time.Time       { return e.At }
func (e Retire) when() time.Time     { return e.At }
func (e KeepUp) when() time.Time     { return e.At }
func (e LetGo) when() time.Time      { return e.At }
func (e Begun) when() time.Time      { return e.At }
func (e Adopt) when() time.Time      { return e.At }
func (e Recall) when() time.Time     { return e.At }
func (e TimerFired) when() time.Time { return e.At }
func (e Panicked) when() time.Time   { return e.At }
func (f Fact) when() time.Time       { return f.At }
func (f Fact) about() Run            { return f.Run }
