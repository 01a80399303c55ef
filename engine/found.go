package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
)

// adopt tells the keeper of the processes that are on record. It has them already, unless it was killed with the engine
// before this one.
func (e *Engine) adopt() error {
	if err := e.keeper.Adopt(e.memory.processes()); err != nil {
		return fmt.Errorf("cannot hand what runs to the keeper: %w", err)
	}
	return nil
}

// found gives, by service, the process that an earlier engine has left with the keeper. What the config has no place for
// any more, because its service is gone or is run in another way now, is ended, as soon as the engine before does not use
// it any more.
func (e *Engine) found(before *predecessor) (map[string]*keeper.Process, error) {
	list, err := e.keeper.List()
	if err != nil {
		return nil, err
	}
	found := map[string]*keeper.Process{}
	var unbounded, strangers []keeper.Process
	used := map[<-chan struct{}][]keeper.Process{}
	for _, p := range list {
		s := e.byName[p.Service]
		if s != nil && (s.Run != nil && p.Role == keeper.RoleService || s.Commands != nil && p.Role == keeper.RoleStart) {
			found[p.Service] = &p
			if p.Logs == (keeper.Logs{}) { // its keeper has not launched it
				p.Output, p.Logs = LogFile(e.cfg, s.Name), s.logs()
				unbounded = append(unbounded, p)
			}
		} else if freed := before.uses(p.Service); freed != nil {
			used[freed] = append(used[freed], p)
		} else {
			strangers = append(strangers, p)
		}
	}
	if err := e.keeper.Adopt(unbounded); err != nil {
		return nil, fmt.Errorf("cannot have the logs of what runs bounded: %w", err)
	}
	for freed, strangers := range used {
		e.ending.Go(func() { e.endUsed(strangers, freed) })
	}
	if len(strangers) > 0 {
		e.ending.Go(func() { e.end(strangers) })
	}
	return found, nil
}

// lookTimeout bounds the question whether somebody listens on another machine.
const lookTimeout = time.Second

// warn tells of services run by something else that were up, still are, and have no place in the config any more. What
// stops them has gone with their part of it.
func (e *Engine) warn() {
	for name, r := range e.memory.found {
		if s := e.byName[name]; r.Kind == delegated && r.State != actors.StateStopped.String() && r.Address != "" && (s == nil || s.Commands == nil) {
			e.ending.Go(func() { e.warnOf(name, r.Address) })
		}
	}
}

func (e *Engine) warnOf(service, address string) {
	network, at := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, at = "unix", path
	}
	if conn, err := net.DialTimeout(network, at, lookTimeout); err == nil {
		conn.Close()
		e.log.Warn("the config has no commands for a service that may be up: stop it by hand",
			"service", service, "reason", "somebody listens at "+address)
	}
}

// strangersTimeout is what a process that no service of the config stands for has between SIGTERM and SIGKILL: its own
// stopTimeout is gone with the service.
const strangersTimeout = 10 * time.Second

// endUsed is end once the engine before has finished the requests that it had begun there.
func (e *Engine) endUsed(strangers []keeper.Process, freed <-chan struct{}) {
	for _, p := range strangers {
		e.log.Info("a process that the config has no service for is in use by the engine before this one",
			"service", p.Service, "pid", p.Pid)
	}
	select {
	case <-freed:
		if s := e.byName[strangers[0].Service]; s != nil && s.actor != nil {
			e.letGo(s)
		}
	case <-e.leave:
		if !e.takes {
			return
		}
	}
	e.end(strangers)
}

// letGo has a service that is run in another way now, and was found to be up by a process that is to end, be stopped, which
// that end completes. It returns when no request is in flight there; further ones wait for the next run.
func (e *Engine) letGo(s *service) {
	e.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.DrainTimeout+strangersTimeout)
		defer cancel()
		if err := s.actor.Stop(ctx, false); err != nil {
			e.log.Info("a service that is run in another way now was not stopped first", "service", s.Name, "reason", err.Error())
		}
	})
	tick := time.NewTicker(freeStep)
	defer tick.Stop()
	for late := time.After(s.DrainTimeout); ; {
		select {
		case <-tick.C:
			if s.use().Holding == 0 {
				return
			}
		case <-late:
			return
		case <-e.leave:
			return
		}
	}
}

// end stops processes that nobody is there for.
func (e *Engine) end(strangers []keeper.Process) {
	for _, p := range strangers {
		e.log.Warn("ending a process that the config has no service for", "service", p.Service, "pid", p.Pid)
		e.signal(p, syscall.SIGTERM)
	}
	select {
	case <-time.After(strangersTimeout):
	case <-e.leave: // it takes along what it can, or leaves the rest to the next engine
		if !e.takes {
			return
		}
	}
	for _, p := range strangers {
		e.signal(p, syscall.SIGKILL)
	}
}

func (e *Engine) signal(p keeper.Process, s syscall.Signal) {
	if err := e.keeper.Signal(p, s); err != nil && !errors.Is(err, keeper.ErrEnded) {
		e.log.Error("cannot end a process", "service", p.Service, "error", fmt.Errorf("%v: %w", s, err))
	}
}
