package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/probe"
)

// managed carries out a run whose process is ours: the run is over when the
// process has exited, and the keeper leaves nothing of it behind.
type managed struct {
	common
	missing bool // an earlier engine knew of it, and the keeper does not; fixed once begun
}

func (m *managed) launch(Record) { m.begins(m.start) }

// start forks as soon as it is known that the address is free.
func (m *managed) start() {
	if reason, held := m.heldBy(); held {
		m.begin(nil)
		m.over(reason)
		return
	}
	failpoint.Reached("run.free")
	spec := m.v.spec.Managed
	ch, err := m.v.children.launch(keeper.Command{
		Service: m.v.Name(), Run: uint64(m.run), Role: keeper.RoleService, Argv: spec.Argv,
		Dir: spec.Dir, Env: spec.Env, Output: m.output(), Rotate: true,
		As: m.v.spec.As, Umask: m.v.spec.Umask, Limits: spec.Limits, Logs: m.v.spec.Logs,
		Notify: m.v.spec.Check.Kind == probe.Notify,
	})
	failpoint.Reached("run.launched")
	m.begin(ch)
	if err != nil {
		m.over(err.Error())
		return
	}
	m.tell(Launched{m.fact(), ch.Pid})
	m.await()
}

// await reports the exit, with the last output if nobody asked for it.
func (m *managed) await() {
	if !m.exited() {
		return
	}
	reason := exitText(m.child.exit)
	if !m.ending() {
		reason = withTail(reason, m.output(), 0)
	}
	m.over(reason)
}

func (m *managed) resume(found *keeper.Process, wasReady bool) {
	m.wasReady.Store(wasReady)
	if found == nil {
		m.missing = true
		m.begin(nil)
		return
	}
	m.begin(m.v.children.find(*found))
	m.begins(m.await)
}

// verify makes sure that the process is there before it is checked.
func (m *managed) verify(until, _ time.Time) { m.watch(until, m.isThere, m.whole) }

func (m *managed) doubt(address string, until time.Time) {
	m.watch(until, m.isThere, m.listensAt(address))
}

func (m *managed) isThere(context.Context) bool {
	<-m.begun
	if m.missing {
		m.over(m.endedAway())
		return false
	}
	if m.child == nil || m.child.hasEnded() {
		m.over("it is no longer running")
		return false
	}
	if errors.Is(m.v.children.signal(m.child, 0), keeper.ErrEnded) {
		m.v.children.lost(m.child)
		return false
	}
	return true
}

func (m *managed) term() {
	m.toEnd()
	m.signal(cmp.Or(m.v.spec.Managed.StopSignal, syscall.SIGTERM))
}

func (m *managed) kill() { m.signal(syscall.SIGKILL) }

// signal needs no answer: the exit is one. Only if it could not be sent the
// machine is told.
func (m *managed) signal(s syscall.Signal) {
	m.begins(func() {
		<-m.begun
		if m.missing {
			m.over(m.endedAway())
		}
		if m.child == nil {
			return
		}
		err := m.v.children.signal(m.child, s)
		failpoint.Reached("run.signalled")
		if err != nil && !errors.Is(err, keeper.ErrEnded) {
			m.tell(StillUp{m.fact(), fmt.Sprintf("cannot send it %s: %v", signalName(s), err)})
		}
	})
}
