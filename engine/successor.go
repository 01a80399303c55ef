package engine

import (
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

// Yield makes the engine leave its place to another. It is false if it is leaving already.
func (e *Engine) Yield(to *takeover.Successor) (yields bool) {
	e.leaving.Do(func() {
		e.successor, yields = to, true
		close(e.leave)
	})
	return yields
}

// handOver gives the place away and finishes what requests are left.
func (e *Engine) handOver() {
	to := e.successor
	e.log.Info("another engine takes over", "pid", to.Pid)
	var beside sync.WaitGroup
	beside.Go(e.endAdmin)
	e.server.Yield(heir{to})
	failpoint.Reached("engine.yielded")
	inUse := e.inUse()
	if err := e.stepDown(false); err != nil {
		e.log.Warn("not all was left in order", "error", err)
	}
	to.Yours(inUse)
	failpoint.Reached("engine.given")
	drained := make(chan struct{})
	beside.Go(func() { e.tellFree(to, inUse, drained) })
	e.drain()
	close(drained)
	beside.Wait()
	to.Close()
}

// inUse names the services that have requests under way.
func (e *Engine) inUse() []string {
	var names []string
	for _, s := range e.services {
		if s.actor != nil && s.actor.InUse() {
			names = append(names, s.Name)
		}
	}
	return names
}

// freeStep is how late the next engine can learn that a service is used no longer. Its idle time counts from then.
const freeStep = 50 * time.Millisecond

// tellFree tells of each of the services when its last request has ended.
func (e *Engine) tellFree(to *takeover.Successor, services []string, drained <-chan struct{}) {
	tick := time.NewTicker(freeStep)
	defer tick.Stop()
	for len(services) > 0 {
		var still []string
		for _, name := range services {
			if e.byName[name].actor.InUse() {
				still = append(still, name)
			} else {
				to.Free(name)
			}
		}
		services = still
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
