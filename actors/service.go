package actors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Service is the hold of others on a service: its gate, and its actor. All
// methods may be called from any goroutine.
type Service struct {
	gate   atomic.Pointer[Gate] // of the present run, or of the last
	queue  *queue               // for a lease; nil: there is no limit to them
	spec   Spec
	system *System
	pid    *actor.PID // nil: its actor was not born yet

	dependsOn []*Service

	door    sync.RWMutex // held for writing when the actor is about to end
	closed  bool
	retired bool          // and nothing of the service runs
	ended   chan struct{} // closed when the actor has ended

	children *children
	legacy   legacy // touched by the actor alone
}

// legacy is what one instance of the actor leaves to the next after a panic.
type legacy struct {
	last    Last // as the machine was after its last step
	waiters ledger
	conduct conduct // of the present run; nil: none
	shared  shared
	needs   needs
	grounds []Ground
	turn    *turn // of the start that is under way, or waits for it; nil: none
	panics  []time.Time
	reason  string // of the last panic

	overloaded int // requests refused because too many waited
}

// Name is the name of the service.
func (v *Service) Name() string { return v.spec.Name }

// Acquire takes a lease on the present run, to be given back by Release of the
// gate it returns. It is nil if the service must be waited for. This is the
// path of every request: one load and one compare-and-swap.
func (v *Service) Acquire() *Gate {
	if g := v.gate.Load(); g != nil && g.Acquire() {
		return g
	}
	return nil
}

// AcquirePassive takes a lease that does not hold the service up, to be given
// back by ReleasePassive of the gate it returns. It is nil if the service is not
// ready.
func (v *Service) AcquirePassive() *Gate {
	if g := v.gate.Load(); g != nil && g.AcquirePassive() {
		return g
	}
	return nil
}

// Leases are those that are out on the present run, or the last.
func (v *Service) Leases() (out Leases) {
	if g := v.gate.Load(); g != nil {
		out.Holding, out.Passive = g.Counts()
	}
	return out
}

// Claim is Acquire for a request that was granted its Wait.
func (v *Service) Claim(w Waiter) *Gate {
	if v.queue != nil {
		if g := v.queue.claim(w); g != nil {
			return g
		}
	}
	return v.Acquire()
}

// Wait asks that the service be up, and have room, for a request. One answer follows,
// from any goroutine or from within the call, unless Cancel comes first.
func (v *Service) Wait(w Waiter) {
	if v.queue != nil {
		if g := v.gate.Load(); g != nil && v.queue.wait(g, w) {
			return
		}
	}
	if !v.tell(Acquire{w, time.Now()}) {
		w.Refuse(Refusal{Reason: Closing})
	}
}

// Cancel tells that whoever waits has left. A late answer is possible.
func (v *Service) Cancel(w Waiter) {
	if v.queue == nil || !v.queue.leave(w) {
		v.tell(Cancel{w, time.Now()})
	}
}

// Served tells that a request which had waited for run, since accepted, has the
// first byte of its reply. It is enough to tell the first of a run.
func (v *Service) Served(run Run, accepted, connected, firstByte time.Time) {
	v.tell(Served{Fact{run, time.Now()}, accepted, connected, firstByte})
}

// Refused tells that nobody listened where a request was to go, under a lease of
// g. Who is ready is looked at again.
func (v *Service) Refused(g *Gate) { v.tell(Refused{Fact{g.Run(), time.Now()}}) }

// KeepUp makes the service be up by the clock until LetGo, unless an operator has it
// down. why is told to people, and may change.
func (v *Service) KeepUp(why string) { v.tell(KeepUp{Ground{Why: why}, nil, time.Now()}) }

// LetGo ends KeepUp: from now on it is idle when nobody uses it.
func (v *Service) LetGo(why string) { v.tell(LetGo{Why: why, At: time.Now()}) }

// Start makes the service be up, although it is held, and returns when it is
// ready. The error is a *Refusal, such as ErrAlreadyUp, or that of ctx; the
// start goes on if ctx ends.
func (v *Service) Start(ctx context.Context) error {
	c := newCaller()
	return v.call(ctx, c, Start{c, time.Now()})
}

// Stop makes the service be down and returns when it is. With hold it stays down
// although requests arrive, until Start. The error is a *Refusal, such as
// ErrNotUp, or that of ctx; the stop goes on if ctx ends.
func (v *Service) Stop(ctx context.Context, hold bool) error {
	c := newCaller()
	return v.call(ctx, c, Stop{c, hold, time.Now()})
}

// Retire makes the service be down for good, from any state, and returns when it
// is and the actor has ended. The error is a *Refusal if it cannot be stopped
// (it is tried again, and the actor stays), or that of ctx.
func (v *Service) Retire(ctx context.Context) error {
	c := newCaller()
	err := v.call(ctx, c, Retire{c, time.Now()})
	if err != nil && !(errors.Is(err, ErrClosing) && v.isRetired()) {
		return err
	}
	select {
	case <-v.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status asks the actor what the service is doing. The error is ErrClosing, or
// that of ctx.
func (v *Service) Status(ctx context.Context) (Status, error) {
	reply := make(chan Status, 1)
	if !v.tell(inspect{reply}) {
		return Status{}, ErrClosing
	}
	select {
	case s := <-reply:
		return s, nil
	case <-v.ended:
		return Status{}, ErrClosing
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

// call sends an order and waits for its answer.
func (v *Service) call(ctx context.Context, c *caller, order Event) error {
	if !v.tell(order) {
		return ErrClosing
	}
	select {
	case err := <-c.answer:
		return err
	case <-ctx.Done():
		v.tell(Cancel{c, time.Now()})
		return ctx.Err()
	}
}

// caller is the Waiter of an order.
type caller struct{ answer chan error }

func newCaller() *caller { return &caller{make(chan error, 1)} }

func (c *caller) Grant()           { c.answer <- nil }
func (c *caller) Refuse(r Refusal) { c.answer <- &r }

// tell puts a message into the actor's mailbox. It is false if the actor has
// ended or is about to: a message to it would be lost without a word.
func (v *Service) tell(message any) bool {
	v.door.RLock()
	defer v.door.RUnlock()
	if v.closed {
		return false
	}
	v.system.actors.Root.Send(v.pid, message)
	return true
}

func (v *Service) isRetired() bool {
	v.door.RLock()
	defer v.door.RUnlock()
	return v.retired
}

// close lets no more messages in: what was told before is handled first.
func (v *Service) close(retired bool) {
	v.door.Lock()
	defer v.door.Unlock()
	if !v.closed {
		v.closed, v.retired = true, retired
		v.system.actors.Root.Poison(v.pid)
	}
}
