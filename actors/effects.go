package actors

import "time"

// An Effect is what a machine wants done. Effects are carried out in their
// order; what is slow is begun, and comes back as a fact.
type Effect interface{ effect() }

type (
	// Ask asks for the turn of a start: TurnCame, or Queued and later TurnCame,
	// follows. The turn ends when the service is no longer starting.
	Ask struct{ Run Run }
	// Withdraw gives up a start whose turn has not come: Exited follows at once.
	Withdraw struct{ Run Run }
	// Launch begins a run: Launched or Exited follows.
	Launch struct{ Run Run }
	// Verify looks whether a run that was begun earlier is there and can be
	// used: ProbePassed, ProbeFailed or Exited follows. A run that was never
	// ready, as far as known, may take until Coming to be seen; of one that is
	// not seen then, what may have been left is cleaned up. For others Coming is
	// zero.
	Verify struct {
		Run    Run
		Until  time.Time
		Coming time.Time
	}
	// Probe waits for a launched run to be usable: ProbePassed, ProbeFailed or
	// Exited follows.
	Probe struct {
		Run   Run
		Until time.Time
	}
	// Doubt looks whether anybody listens at the address of a ready run, as a
	// request found nobody: ProbePassed, ProbeFailed or Exited follows.
	Doubt struct {
		Run     Run
		Address string
		Until   time.Time
	}
	// Term asks the run to end: Exited or StillUp follows, in its own time.
	Term struct{ Run Run }
	// Kill ends the run by force.
	Kill struct{ Run Run }
	// Arm sets the one timer of the service, in place of the one before.
	Arm struct {
		Seq Seq
		At  time.Time
	}
	// Open gives the run its gate and lets requests in. The idle clock goes on
	// from LastUse.
	Open struct {
		Run     Run
		Address string
		LastUse time.Time
	}
	// Shut closes the gate: Drained follows when no lease is left. With
	// UnusedSince it closes only if no lease holds the service up and the last
	// use was not later than that, but with Expected, was later than that; Drained
	// or InUse follows at once.
	Shut struct {
		Run         Run
		UnusedSince time.Time
		Expected    time.Time // since then somebody is to come through the gate; zero: nobody is
	}
	// Close ends the pooled connections to the run; with Cut those in use too.
	Close struct {
		Run Run
		Cut bool
	}
	// Grant answers a waiter: the service is as it wanted it to be.
	Grant struct{ Waiter Waiter }
	// Refuse answers a waiter: it is not, and why.
	Refuse struct {
		Waiter  Waiter
		Refusal Refusal
	}
	// Record tells a change of state, or something worth knowing within one
	// (then From is State), with its reason, and all that a later engine is to
	// know of the service (see Last).
	Record struct {
		Memory
		Service    string
		At         time.Time
		From       State
		State      State
		Since      time.Time // of State; zero: unknown
		Run        Run       // 0: none
		Pid        int       // 0: none of ours
		StartTime  uint64    // of Pid: see keeper.Process
		Address    string    // where the run is reached; "": not known yet
		ReadySince time.Time
		LastUse    time.Time // of the service; zero: never, as far as known
		// Aside: nothing has been decided. A later engine is to know more of what is
		// going on, and people have been told.
		Aside bool
		// Reason is one line, and after it the last lines of output where a
		// process failed (see Explain). It may tell internals: not for clients.
		Reason string
	}
	// End ends the actor.
	End struct{}
)

// StartClock is the clock of one start; zero where not known (yet).
type StartClock struct {
	Accepted  time.Time // the request, or order, that made it begin
	Launched  time.Time // the command was executed
	Listening time.Time // the first connect succeeded
	Ready     time.Time // the check passed
	Connected time.Time // the connection for the first request that waited stood
	FirstByte time.Time // the first byte of the reply to it arrived
}

// PastStart is a start that has ended.
type PastStart struct {
	Run     Run
	Clock   StartClock
	Outcome Outcome
}

// Outcome is how a start ended.
type Outcome string

const (
	OutcomeReady       Outcome = "ready"
	OutcomeFailed      Outcome = "failed"      // the command ended, or could not be executed
	OutcomeTimeout     Outcome = "timeout"     // it was not ready in time
	OutcomeInterrupted Outcome = "interrupted" // it was stopped before
	OutcomeLost        Outcome = "lost"        // the engine ended before, and it was gone when it was looked for
)

func (Ask) effect()      {}
func (Withdraw) effect() {}
func (Launch) effect()   {}
func (Verify) effect()   {}
func (Doubt) effect()    {}
func (Probe) effect()    {}
func (Term) effect()     {}
func (Kill) effect()     {}
func (Arm) effect()      {}
func (Open) effect()     {}
func (Shut) effect()     {}
func (Close) effect()    {}
func (Grant) effect()    {}
func (Refuse) effect()   {}
func (Record) effect()   {}
func (End) effect()      {}
