package actors

import "slices"

// State is what a service is doing. A state exists only where some event is
// answered differently in it.
type State uint8

const (
	StateStopped  State = iota // nothing runs
	StateStarting              // a run was begun and is not known to be usable yet
	StateReady                 // its gate is open
	StateDraining              // its gate is shut by order; the last requests end
	StateStopping              // it was told to end
	StateFailed                // it could not be started, or could not be stopped
)

var stateNames = [...]string{"stopped", "starting", "ready", "draining", "stopping", "failed"}

// String is the one word for a state: in logs, metrics, JSON and tables.
func (s State) String() string { return stateNames[s] }

// ParseState is the state that String gives that word for.
func ParseState(word string) (s State, ok bool) {
	i := slices.Index(stateNames[:], word)
	return State(max(i, 0)), i >= 0
}

// Run numbers the runs of one service, from 1; 0 is no run. Facts about
// processes, probes and gates carry the run they belong to.
type Run uint64

// Seq numbers the timers of one service, so that a timer that was replaced is
// known by its number when it fires all the same.
type Seq uint64
