package actors

import (
	"context"
	"errors"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// What a start command left behind is no child of ours, and is found again by
// what it does: it listens, and passes the check if there is one.

func (d *delegated) resume(found *keeper.Process, wasReady bool) {
	d.wasReady.Store(wasReady)
	if found == nil {
		d.phase = recalled
		d.begin(nil)
		return
	}
	d.begin(d.v.children.find(*found))
	d.begins(d.await)
}

// verify checks what can be there: a start command in the foreground, or
// something that listens.
func (d *delegated) verify(until, coming time.Time) {
	d.watch(until, func(ctx context.Context) bool {
		<-d.begun
		return d.inForeground() || d.isThere(ctx, coming)
	}, d.whole)
}

func (d *delegated) doubt(address string, until time.Time) {
	d.watch(until, func(ctx context.Context) bool {
		<-d.begun
		return d.inForeground() || d.isThere(ctx, time.Time{})
	}, d.listensAt(address))
}

// inForeground tells whether the start command is still there.
func (d *delegated) inForeground() bool {
	if d.child == nil || d.child.hasEnded() {
		return false
	}
	if errors.Is(d.v.children.signal(d.child, 0), keeper.ErrEnded) {
		d.v.children.lost(d.child)
		return false
	}
	return true
}

// isThere looks for what the start command left behind. If it is false the rest
// was told, or ctx was given up.
func (d *delegated) isThere(ctx context.Context, coming time.Time) bool {
	listening := d.listensBy(ctx, coming)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return false
	case !listening && !coming.IsZero():
		d.cleanUp()
		return false
	case !listening:
		if d.pass(recalled, gone) || d.pass(going, gone) {
			d.over("nothing listens at " + d.v.spec.Address)
		}
		return false
	case d.is(recalled) && d.wasReady.Load() && d.isAnothers(ctx):
		if !errors.Is(ctx.Err(), context.Canceled) && d.pass(recalled, gone) {
			d.over(d.notOurs())
		}
		return false
	case errors.Is(ctx.Err(), context.Canceled):
		return false
	}
	d.pass(recalled, going)
	return true
}

// listensBy tells whether anybody listens at the address, now or until coming.
func (d *delegated) listensBy(ctx context.Context, coming time.Time) bool {
	for step := firstLook; ; step = min(2*step, lastLook) {
		if d.listens() {
			return true
		}
		left := time.Until(coming)
		if left <= 0 {
			return false
		}
		select {
		case <-time.After(min(step, left)):
		case <-ctx.Done():
			return false
		}
	}
}

// cleanUp stops what a start may have left that never came up.
func (d *delegated) cleanUp() {
	if !d.pass(recalled, stopping) && !d.pass(going, stopping) {
		return
	}
	patience, cancel := context.WithTimeout(context.Background(), d.v.spec.StopTimeout)
	defer cancel()
	d.stop(patience, "nothing came to listen at "+d.v.spec.Address+"; stopped")
}

// isAnothers tells whether what listens fails the check of the service. A check
// that takes too long, on a machine that has just come up perhaps, is tried
// again: it must not have the service forgotten.
func (d *delegated) isAnothers(ctx context.Context) bool {
	for {
		look := d.look(ctx)
		if look.Err == nil || look.Decided || ctx.Err() != nil {
			return look.Err != nil && look.Decided
		}
	}
}

// leftToAnother is the first look at a run that is to end. Of a service that was
// up, what listens now and fails the check is another's, and not to be stopped.
func (d *delegated) leftToAnother(ctx context.Context) bool {
	<-d.begun
	if !d.wasReady.Load() || !d.listens() {
		return false
	}
	if look := d.look(ctx); look.Err == nil || !look.Decided || !d.pass(stopping, gone) {
		return false
	}
	d.over(d.notOurs())
	return true
}

// look checks what listens, within the time of one check. What has no check is
// believed.
func (d *delegated) look(ctx context.Context) probe.Result {
	ctx, cancel := d.oneCheck(ctx)
	defer cancel()
	check := d.v.spec.Check
	if line := d.v.spec.Delegated.Check; line != "" {
		check = probe.Check{Kind: probe.Command, Command: line, Timeout: check.Timeout}
	}
	result := d.check(ctx, check)
	result.Decided = result.Decided && !saysNothing(result.Err)
	return result
}

func (d *delegated) notOurs() string {
	return "what listens fails the check and is not taken for the service; " + d.holder()
}

// listens tells whether anybody listens at the address, in this machine's tables or behind a rule by which the kernel
// sends connections on, as Docker's are without its userland proxy.
func (d *delegated) listens() bool {
	if probe.Listening(d.v.spec.Address) {
		return true
	}
	// Not the run's context: that is left does not mean that it is down.
	ctx, cancel := context.WithTimeout(context.Background(), listenDial)
	defer cancel()
	return probe.Answers(ctx, d.v.spec.Address)
}

func (d *delegated) is(p phase) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.phase == p
}
