package actors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/probe"
)

// conduct carries out the effects of one run. Its methods are called by the
// actor and return at once; what follows from them is told to the actor as
// facts. It outlives an instance of the actor.
type conduct interface {
	Run() Run
	launch(Record) // by which the run has begun
	// resume is for a run of an earlier engine, in place of launch. found is its
	// process, if the keeper has it.
	resume(found *keeper.Process, wasReady bool)
	verify(until, coming time.Time) // see Verify
	doubt(address string, until time.Time)
	probe(until time.Time, expected time.Duration) // expected: of the check, from the launch; 0: nobody knows
	term()
	kill()
	// ending is true once the run was told to end, until it is taken up again.
	ending() bool
	// process is the process of the run, as far as known; its Pid is 0 if not.
	process() keeper.Process
	// abandon ends what goes on here; the processes stay.
	abandon()
}

func (v *Service) conductOf(r Run) conduct {
	ctx, cancel := context.WithCancel(context.Background())
	c := common{v: v, run: r, ctx: ctx, cancel: cancel, begun: make(chan struct{}), toldEnd: new(atomic.Bool), wasReady: new(atomic.Bool)}
	if v.spec.Managed != nil {
		return &managed{common: c}
	}
	return &delegated{common: c}
}

// common is what both ways to run a service share.
type common struct {
	v      *Service
	run    Run
	ctx    context.Context // ends with the run
	cancel context.CancelFunc
	begun  chan struct{} // closed when the launch has come back
	child  *child        // after begun; nil: none

	// Used by the actor alone:
	probing context.CancelFunc // of the last probe

	toldEnd  *atomic.Bool // set by the actor
	wasReady *atomic.Bool // at least once, in this engine or an earlier one
}

func (c *common) Run() Run     { return c.run }
func (c *common) abandon()     { c.cancel() }
func (c *common) ending() bool { return c.toldEnd.Load() }

func (c *common) fact() Fact   { return Fact{c.run, time.Now()} }
func (c *common) tell(e Event) { c.v.tell(e) }

// begins has do go on beside the actor.
func (c *common) begins(do func()) {
	if beside := c.v.system.options.beside; beside != nil {
		beside(do)
		return
	}
	go do()
}

// over reports that nothing of the run is left.
func (c *common) over(reason string) {
	c.cancel()
	failpoint.Reached("run.over")
	c.tell(Exited{c.fact(), reason})
}

func (c *common) process() keeper.Process {
	select {
	case <-c.begun:
		if c.child != nil && !c.child.hasEnded() {
			return c.child.Process
		}
	default:
	}
	return keeper.Process{}
}

// begin takes in the outcome of a launch.
func (c *common) begin(ch *child) {
	c.child = ch
	close(c.begun)
}

// exited waits for the end of the process. It is false if nobody is to be told any
// more: the run is over, or left to the next engine.
func (c *common) exited() bool {
	select {
	case <-c.child.done:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// probe waits for the service to pass its check.
func (c *common) probe(until time.Time, expected time.Duration) {
	check := c.v.spec.Check
	check.Expected = expected
	c.watch(until, func(context.Context) bool { return true }, func(ctx context.Context) probe.Result { return c.check(ctx, check) })
}

// expected is the least that a start took of late, from the launch to the passed
// check.
func expected(past []PastStart) (least time.Duration) {
	for _, p := range past {
		took := p.Clock.Ready.Sub(p.Clock.Launched)
		if p.Outcome == OutcomeReady && !p.Clock.Launched.IsZero() && took > 0 && (least == 0 || took < least) {
			least = took
		}
	}
	return least
}

// whole is the check of the service.
func (c *common) whole(ctx context.Context) probe.Result { return c.check(ctx, c.v.spec.Check) }

// listensAt is the check of a service that has passed its own, and then refused a
// connection at the address that its requests go to.
func (c *common) listensAt(address string) func(context.Context) probe.Result {
	return func(ctx context.Context) probe.Result {
		return probe.Wait(ctx, []string{address}, probe.Check{Kind: probe.TCP, Connect: true}, nil)
	}
}

// watch is probe, once it is known that there is something to be checked.
func (c *common) watch(until time.Time, present func(context.Context) bool, check func(context.Context) probe.Result) {
	c.endProbe()
	c.toldEnd.Store(false)
	ctx, cancel := context.WithDeadline(c.ctx, until)
	c.probing = cancel
	began := time.Now()
	c.begins(func() {
		defer cancel()
		if !present(ctx) {
			return
		}
		result := check(ctx)
		switch {
		case result.Err == nil:
			c.wasReady.Store(true)
			failpoint.Reached("run.passed")
			c.tell(ProbePassed{c.fact(), result.Address, result.Listening})
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			reason := fmt.Sprintf("not ready within %v: %v", time.Since(began).Round(time.Millisecond), result.Err)
			c.tell(ProbeFailed{c.fact(), withTail(reason, c.output(), 0), false})
		case ctx.Err() == nil: // it cannot be checked at all
			c.tell(ProbeFailed{c.fact(), fmt.Sprintf("cannot check it: %v", result.Err), true})
		}
	})
}

// toEnd is the beginning of every term.
func (c *common) toEnd() {
	c.endProbe()
	c.toldEnd.Store(true)
}

// endProbe gives up a probe that goes on.
func (c *common) endProbe() {
	if c.probing != nil {
		c.probing()
	}
}

// check tries a check of the service until it passes or ctx ends.
func (c *common) check(ctx context.Context, check probe.Check) probe.Result {
	addresses, err := probe.Candidates(c.v.spec.Address)
	if err != nil {
		return probe.Result{Err: err}
	}
	check.Output, check.Said = c.output(), c.wasReady.Load()
	return probe.Wait(ctx, addresses, check, func(ctx context.Context) error {
		if check.Kind == probe.Notify {
			return c.toSpeak(ctx)
		}
		return c.command(ctx, keeper.RoleCheck, check.Command)
	})
}

// toSpeak waits for the process to say that it is ready.
func (c *common) toSpeak(ctx context.Context) error {
	select {
	case <-c.child.ready:
		return nil
	case <-ctx.Done():
		return errors.New("it has not sent READY=1 to its $NOTIFY_SOCKET")
	}
}

// heldBy says, if something listens at the address of the service, who it is.
func (c *common) heldBy() (string, bool) {
	if !listens(c.v.spec.Address) {
		return "", false
	}
	return c.holder(), true
}

// holder says who listens at the address of the service.
func (c *common) holder() string {
	address := c.v.spec.Address
	holder, known := probe.Holder(address)
	if !known {
		holder = "another process"
	}
	return fmt.Sprintf("%s is held by %s; stop that, or give the service another address", address, holder)
}

// endedAway is why a run of an earlier engine is over.
func (c *common) endedAway() string {
	const reason = "it ended while the engine was away"
	if holder, held := c.heldBy(); held {
		return reason + "; " + holder
	}
	return reason
}
