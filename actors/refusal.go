package actors

import "time"

// Waiter is somebody who wants a service to be up, or down. Waiters are told
// apart by ==. One is called once, by any goroutine, and must not block.
type Waiter interface {
	// Grant says that the service is as wanted. To a request it means: try the
	// gate again; where few are let in at a time, with Claim, since a lease may be
	// kept for it until Claim or Cancel.
	Grant()
	Refuse(Refusal)
}

// RefusalReason says why a waiter did not get what it wanted.
type RefusalReason uint8

const (
	StartFailed  RefusalReason = iota + 1 // the command ended, or could not be executed
	StartTimeout                          // it was not ready within the start timeout
	Backoff                               // it failed repeatedly: RetryAfter says when to come again
	Held                                  // an operator holds it down
	Overloaded                            // too many wait already
	Closing                               // the service is being removed, or the engine leaves
	Interrupted                           // an operator stopped it while it was starting
	AlreadyUp                             // a start was ordered, and it is ready or starting
	NotUp                                 // a stop was ordered, and nothing runs
	StopFailed                            // a stop was ordered, and it is still there
	Needed                                // a stop was ordered, and a service that is not down depends on it
)

var refusalTexts = [...]string{
	StartFailed:  "cannot start the service",
	StartTimeout: "cannot start the service in time",
	Backoff:      "cannot start the service yet, it failed repeatedly",
	Held:         "the service is held down",
	Overloaded:   "too many requests wait for the service",
	Closing:      "the service is being taken away",
	Interrupted:  "the start was stopped by order",
	AlreadyUp:    "the service is already running or starting",
	NotUp:        "the service is not running",
	StopFailed:   "cannot stop the service",
	Needed:       "another service depends on it",
}

// String is the reason in words that tell nothing of the inside.
func (r RefusalReason) String() string { return refusalTexts[r] }

// Refusal is the answer to a waiter that does not get what it wanted. As an
// error it is a *Refusal.
type Refusal struct {
	Reason     RefusalReason
	RetryAfter time.Duration // 0: at once, or unknown
	Detail     string        // for logs and the admin API, never for clients
}

// What Service.Start and Service.Stop return, to be told apart by errors.Is.
var (
	ErrAlreadyUp = &Refusal{Reason: AlreadyUp}
	ErrNotUp     = &Refusal{Reason: NotUp}
	ErrClosing   = &Refusal{Reason: Closing}
	ErrNeeded    = &Refusal{Reason: Needed}
)

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Reason.String()
	}
	return r.Reason.String() + ": " + r.Detail
}

// Is makes errors.Is compare the reasons alone.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Reason == r.Reason
}
