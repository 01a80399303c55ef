package engine

import (
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
)

// spawn gives each service that is started its actor.
func (e *Engine) spawn(found map[string]*keeper.Process, shared map[string]actors.Leases) {
	own := environ()
	var specs []actors.Spec
	var started []*service
	for _, s := range e.services {
		for _, name := range s.DependsOn {
			on := e.byName[name]
			on.dependants = append(on.dependants, s)
		}
		if !s.ProxyOnly {
			spec := s.spec(own, found[s.Name], e.memory.last(s.Name))
			spec.SharedLeases = shared[s.Name]
			spec.Shared = spec.SharedLeases.Holding > 0
			s.keptUp = byTheClock(s.Schedule, time.Now())
			spec.KeptUp = s.keptUp
			specs, started = append(specs, spec), append(started, s)
		}
	}
	for n, actor := range e.system.SpawnAll(specs) {
		started[n].actor = actor
	}
}
