package engine

import (
	"errors"
	"fmt"

	"dynapm/actors"
	"dynapm/actors/keeper/failpoint"
	"dynapm/engine/takeover"
	"dynapm/netio"

	"golang.org/x/sys/unix"
)

// How one engine takes the place of another is told in package takeover; here is what each of the two does.

// predecessor is the engine before this one. It may be nil: there is none.
type predecessor struct {
	*takeover.Predecessor
	indexes []int                    // of its listeners among ours; -1: not wanted
	freed   map[string]chan struct{} // of each service that it uses; closed when it does not any more
}

// meet finds the engine that is to be replaced, and adds what it listens on to the sockets.
func (e *Engine) meet(s *sockets, o Options) (*predecessor, error) {
	if !o.Takeover {
		return nil, nil
	}
	p, err := takeover.Meet(e.cfg.StateDir)
	if errors.Is(err, takeover.ErrAbsent) {
		e.log.Info("there is nothing to take over: no engine runs with this state directory")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.log.Info("taking over", "pid", p.Pid)
	public := 0
	for _, l := range p.Listeners {
		index := -1
		if !l.Admin {
			index = public
			public++
		}
		err = errors.Join(err, s.add(l.FD, "the engine before this one", index))
	}
	p.Listeners = nil
	if err != nil {
		p.Close()
		s.close()
		return nil, fmt.Errorf("cannot use the listeners of the engine that runs (pid %d): %w", p.Pid, err)
	}
	adoptSupervisor(p.Supervisor)
	e.follows.Store(int64(p.Pid))
	return &predecessor{Predecessor: p}, nil
}

// take returns when the place is free, with the services that the engine before still uses.
func (p *predecessor) take() (map[string]actors.Leases, error) {
	if p == nil {
		return nil, nil
	}
	uses, err := p.Take()
	failpoint.Reached("engine.taken")
	shared := map[string]actors.Leases{}
	p.freed = map[string]chan struct{}{}
	for _, u := range uses {
		if u.Holding == 0 && u.Passive == 0 { // of an engine that does not count them
			u.Holding = 1
		}
		shared[u.Service] = actors.Leases{Holding: u.Holding, Passive: u.Passive}
		p.freed[u.Service] = make(chan struct{})
	}
	return shared, err
}

// uses gives, before follow, what is closed when the engine before does not use a service any more; nil: it does not.
func (p *predecessor) uses(service string) <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.freed[service]
}

func (p *predecessor) close() {
	if p != nil {
		p.Close()
	}
}

// follow takes in, for as long as the engine before has some, its clients, and gives back the leases that were taken for
// it.
func (p *predecessor) follow(e *Engine) {
	if p == nil {
		return
	}
	go func() {
		defer p.Close()
		defer e.follows.Store(0)
		adopt := func(c takeover.Client) { p.adopt(e, c) }
		free := func(left takeover.Use) { p.free(e, left) }
		err := p.Follow(adopt, free)
		for service := range p.freed {
			free(takeover.Use{Service: service})
		}
		if err != nil {
			e.log.Warn("lost the engine before this one", "pid", p.Pid, "error", err)
			return
		}
		e.log.Info("the engine before this one has left", "pid", p.Pid)
	}()
}

// free gives back the leases of a service that the engine before has no longer, and tells whoever waits for the last.
func (p *predecessor) free(e *Engine, left takeover.Use) {
	if s := e.byName[left.Service]; s != nil && s.actor != nil {
		s.actor.UnshareTo(actors.Leases{Holding: left.Holding, Passive: left.Passive})
	}
	if freed := p.freed[left.Service]; freed != nil && left.Holding == 0 && left.Passive == 0 {
		close(freed)
		delete(p.freed, left.Service)
	}
}

// adopt serves a client of the engine before, unless it came by an address that this one does not listen on.
func (p *predecessor) adopt(e *Engine, c takeover.Client) {
	if c.Listener < 0 || c.Listener >= len(p.indexes) || p.indexes[c.Listener] < 0 {
		unix.Close(c.FD)
		return
	}
	err := e.server.Adopt(netio.Inheritance{FD: c.FD, Listener: p.indexes[c.Listener], Bytes: c.Bytes})
	if err != nil {
		e.log.Error("a client of the engine before this one was lost", "error", err)
	}
}
