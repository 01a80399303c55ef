package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/probe"
)

// delegated carries out a run by commands of the user's. What the start command
// leaves behind is not ours: only the stop command stops it. A start command
// that stays in the foreground is the one process that we signal.
type delegated struct {
	common
	mu    sync.Mutex
	phase phase

	// hurry ends the patience of the stop that goes on; used by the actor alone.
	hurry context.CancelFunc
}

// phase is who may say that the run is over.
type phase uint8

const (
	going    phase = iota // the end of the start command may be that of the run
	recalled              // an earlier engine knew of it, and it was not seen yet
	stopping              // only the stop can tell
	gone
)

// pass changes the phase, if it is from.
func (d *delegated) pass(from, to phase) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase != from {
		return false
	}
	d.phase = to
	return true
}

func (d *delegated) launch(r Record) { d.begins(func() { d.start(r) }) }

func (d *delegated) start(r Record) {
	if d.listens() {
		d.begin(nil)
		if d.isUpAlready() {
			d.tell(Launched{Fact: d.fact()})
			return
		}
		d.over(d.holder())
		return
	}
	d.intend(r)
	ch, err := d.v.children.launch(d.shell(keeper.RoleStart, d.v.spec.Delegated.Start))
	d.begin(ch)
	switch {
	case errors.Is(err, keeper.ErrLost):
		// It may have been run: what comes to listen is the service, and what does
		// not is stopped, before anything is started beside it.
		d.tell(Launched{Fact: d.fact()})
	case err != nil:
		d.over(err.Error())
	default:
		d.tell(Launched{d.fact(), ch.Pid})
		d.await()
	}
}

// intentPatience bounds the wait for a disk.
const intentPatience = time.Second

// intend makes durable what is about to be done. Unlike a process of the
// keeper's, what a start command leaves behind is known to us alone: an engine
// that is killed before it has heard of the start would else start it twice.
// That is not worth refusing the start for when the disk fails. An engine that
// leaves may be killed too: the wait does not end with the conduct.
func (d *delegated) intend(r Record) {
	o := d.v.system.options
	if o.Intent == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), intentPatience)
	defer cancel()
	if err := o.Intent(ctx, r); err != nil {
		o.Log.Warn("a start goes on without being on record: if the engine is killed now, the next does not know of it",
			"service", d.v.Name(), "cause", err)
	}
}

// await reports what became of the start command. With success it has only
// returned; a status that was lost may have been that.
func (d *delegated) await() {
	if !d.exited() {
		return
	}
	e := d.child.exit
	failpoint.Reached("run.returned")
	if e.Unknown || e.Code == 0 && e.Signal == 0 {
		d.tell(Returned{d.fact()})
	} else if d.pass(going, gone) {
		d.over(withTail("the start command "+exitText(e), d.output(), 0))
	}
}

// checkCommand is the command that succeeds while the service is up, if there is
// one.
func (d *delegated) checkCommand() string {
	if line := d.v.spec.Delegated.Check; line != "" {
		return line
	}
	return d.v.spec.Check.Command
}

// isUpAlready tells whether what listens at the address is the service. That
// somebody listens proves nothing: it takes a check to know.
func (d *delegated) isUpAlready() bool {
	if d.checkCommand() != "" {
		return d.passes()
	}
	ctx, cancel := d.oneCheck(d.ctx)
	defer cancel()
	switch d.v.spec.Check.Kind {
	case probe.HTTP, probe.GRPC, probe.Redis:
		return d.check(ctx, d.v.spec.Check).Err == nil
	}
	return false
}

// passes runs the check command once.
func (d *delegated) passes() bool { return d.checkOnce() == nil }

func (d *delegated) checkOnce() error {
	ctx, cancel := d.oneCheck(d.ctx)
	defer cancel()
	return d.command(ctx, keeper.RoleCheck, d.checkCommand())
}

func (d *delegated) oneCheck(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(d.v.spec.Check.Timeout, defaultCheckTimeout))
}

// defaultCheckTimeout is that of one check where the config names none.
const defaultCheckTimeout = 5 * time.Second

func (d *delegated) term() {
	d.toEnd()
	unseen := d.pass(recalled, stopping)
	if !unseen && !d.pass(going, stopping) {
		return // the exit was told, or a stop goes on and will tell
	}
	patience, hurry := context.WithCancel(context.Background())
	d.hurry = hurry
	d.begins(func() {
		defer hurry()
		if unseen && d.leftToAnother(patience) {
			return
		}
		d.stop(patience, "stopped")
	})
}

func (d *delegated) kill() {
	if d.hurry != nil {
		d.hurry()
	}
}

// stop runs the stop command, ends a start command in the foreground, and
// believes in nothing before the service is down. When its patience ends it
// uses force on what is ours, and says how it stands.
func (d *delegated) stop(patience context.Context, reason string) {
	<-d.begun
	line := d.v.spec.Delegated.Stop
	var failed error
	if line != "" {
		failed = d.unstart(patience, line)
		failpoint.Reached("run.unstarted")
	}
	if errors.Is(failed, errStatusLost) {
		failed = nil // it was run; what it has done is seen
	}
	d.endForeground(patience)
	why := d.untilDown(patience, failed != nil)
	if why == "" {
		failpoint.Reached("run.down")
		d.pass(stopping, gone)
		d.over(reason)
		return
	}
	d.pass(stopping, going)
	switch {
	case failed != nil:
		why = fmt.Sprintf("%s; %v", why, failed)
	case line == "":
		why += "; it has no stop command"
	}
	d.tell(StillUp{d.fact(), why})
}

// unstart runs the stop command. If nobody knows whether it was run, it is run again: that it was not is not seen of a
// service that has yet to come up.
func (d *delegated) unstart(patience context.Context, line string) error {
	for {
		err := d.command(patience, keeper.RoleStop, line)
		if !errors.Is(err, keeper.ErrLost) || patience.Err() != nil {
			return err
		}
	}
}

// endForeground ends a start command that stayed, and only itself.
func (d *delegated) endForeground(patience context.Context) {
	if d.child == nil || d.child.hasEnded() {
		return
	}
	d.v.children.signal(d.child, syscall.SIGTERM)
	select {
	case <-d.child.done:
		return
	case <-patience.Done():
	}
	d.v.children.signal(d.child, syscall.SIGKILL)
	select {
	case <-d.child.done:
	case <-time.After(killGrace / 2): // the machine waits for killGrace
	}
}

// The steps in which a stopped service is looked at until it is down.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// untilDown waits until the service is down, and returns why it is not. After a
// failed stop command it looks once.
func (d *delegated) untilDown(patience context.Context, once bool) (why string) {
	for step := firstLook; ; step = min(2*step, lastLook) {
		why = d.up()
		if why == "" || once || patience.Err() != nil {
			return why
		}
		select {
		case <-time.After(step):
		case <-patience.Done():
		}
	}
}

// up says how it is seen that the service is up, or nothing.
func (d *delegated) up() string {
	switch {
	case d.child != nil && !d.child.hasEnded():
		return "its start command is still running"
	case d.checkCommand() != "":
		// A service that is ending may have closed its listener long before.
		switch err := d.checkOnce(); {
		case err == nil:
			return "its check still passes"
		case errors.Is(err, keeper.ErrClosed): // nobody is to be told any more
		case saysNothing(err):
			return fmt.Sprintf("what its check found is not known: %v", err) // and is not that it is down
		}
	case d.listens():
		return d.v.spec.Address + " is still listened at"
	}
	return ""
}
