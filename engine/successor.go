package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dynapm/actors/keeper/failpoint"
	"dynapm/engine/takeover"
	"dynapm/netio"

	"golang.org/x/sys/unix"
)

// Listeners are what a younger engine gets; the Engine is takeover's Older.
func (e *Engine) Listeners() ([]takeover.Listener, error) {
	var all []takeover.Listener
	for _, l := range e.sockets.public {
		fd, err := l.Dup()
		if err != nil {
			return all, err
		}
		all = append(all, takeover.Listener{Address: l.Addr().String(), FD: fd})
	}
	if e.sockets.admin == nil {
		return all, nil
	}
	raw, err := e.sockets.admin.SyscallConn()
	if err != nil {
		return all, err
	}
	err = raw.Control(func(fd uintptr) {
		if dup, dupErr := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); dupErr == nil {
			all = append(all, takeover.Listener{Address: e.sockets.admin.Addr().String(), Admin: true, FD: dup})
		}
	})
	return all, err
}

// Yield makes the engine leave its place to another, unless it is leaving already, or the engine before it has not left
// yet: nobody could tell the next one what that still uses.
func (e *Engine) Yield(to *takeover.Successor) error {
	if pid := e.follows.Load(); pid != 0 {
		return fmt.Errorf("the engine before it (pid %d) is still finishing requests; try again when that has left, "+
			"after drainTimeout at the latest", pid)
	}
	select {
	case <-e.leave:
		return errLeaving
	default:
	}
	select {
	case e.asked <- to:
		return nil
	default:
		return errors.New("another engine is taking over")
	}
}

var errLeaving = errors.New("it is leaving")

// untilLeave returns when the engine was told to leave, by a person or by the one that takes its place.
func (e *Engine) untilLeave() error {
	for {
		select {
		case <-e.leave:
			return nil
		case to := <-e.asked:
			e.giveWay(to)
		case <-e.server.Done():
			return fmt.Errorf("the front ended: %w", e.server.Err())
		}
	}
}

// giveWay has the engine leave, if the one that asked for its place still waits for it: it may have been asked long ago,
// when it was halted.
func (e *Engine) giveWay(to *takeover.Successor) {
	e.log.Info("another engine takes over", "pid", to.Pid)
	if to.Gone() {
		e.log.Warn("no other engine took over: it has gone, and this one stays", "pid", to.Pid)
		to.Close()
		return
	}
	leaving := true
	e.leaving.Do(func() {
		e.successor, leaving = to, false
		close(e.leave)
	})
	if leaving {
		to.Refuse(errLeaving.Error())
	}
}

// refuseAsked answers an engine that has asked for the place just before this one was told to leave.
func (e *Engine) refuseAsked() {
	select {
	case to := <-e.asked:
		to.Refuse(errLeaving.Error())
	default:
	}
}

// handOver gives the place away and finishes what requests are left.
func (e *Engine) handOver() {
	to := e.successor
	var beside sync.WaitGroup
	beside.Go(e.endAdmin)
	e.server.Yield(heir{to})
	failpoint.Reached("engine.yielded")
	before := e.uses()
	if err := e.stepDown(false); err != nil {
		e.log.Warn("not all was left in order", "error", err)
	}
	uses := joined(before, e.uses())
	if to.Gone() {
		e.downError = fmt.Errorf("the engine that takes over (pid %d) ended before it had the place; start another", to.Pid)
		e.log.Error("no engine serves any more", "error", e.downError)
	}
	to.Yours(uses)
	failpoint.Reached("engine.given")
	drained := make(chan struct{})
	beside.Go(func() { e.tellFree(to, uses, drained) })
	e.drain()
	close(drained)
	beside.Wait()
	to.Close()
}

// uses are the leases that are out for requests under way.
func (e *Engine) uses() []takeover.Use {
	var uses []takeover.Use
	for _, s := range e.services {
		if s.actor == nil {
			continue
		}
		if u := s.use(); u.Holding > 0 || u.Passive > 0 {
			uses = append(uses, u)
		}
	}
	return uses
}

func (s *service) use() takeover.Use {
	out := s.actor.Leases()
	return takeover.Use{Service: s.Name, Holding: out.Holding, Passive: out.Passive}
}

// joined has the most of both: until its actor has ended a service may give the leases that become free to those who wait
// for them, and the end of a use tells the next engine when that was.
func joined(uses, later []takeover.Use) []takeover.Use {
	for _, u := range later {
		at := slices.IndexFunc(uses, func(was takeover.Use) bool { return was.Service == u.Service })
		if at < 0 {
			uses = append(uses, u)
			continue
		}
		uses[at].Holding, uses[at].Passive = max(uses[at].Holding, u.Holding), max(uses[at].Passive, u.Passive)
	}
	return uses
}

// freeStep is how late the next engine can learn that a service is used no longer. Its idle time counts from then.
const freeStep = 50 * time.Millisecond

// tellFree tells of each of the uses when less is left of it, until they have ended.
func (e *Engine) tellFree(to *takeover.Successor, uses []takeover.Use, drained <-chan struct{}) {
	tick := time.NewTicker(freeStep)
	defer tick.Stop()
	for len(uses) > 0 {
		var still []takeover.Use
		for _, was := range uses {
			u := e.byName[was.Service].use()
			if u != was {
				to.Free(u)
			}
			if u.Holding > 0 || u.Passive > 0 {
				still = append(still, u)
			}
		}
		uses = still
		select {
		case <-tick.C:
		case <-drained:
			return // the end of the connection says so of the others
		}
	}
}

// heir is the next engine as netio sees it.
type heir struct{ *takeover.Successor }

func (h heir) Inherit(i netio.Inheritance) {
	h.Hand(takeover.Client{Listener: i.Listener, Bytes: i.Bytes, FD: i.FD})
}
