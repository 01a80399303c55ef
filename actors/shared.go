package actors

import "time"

// While one engine takes the place of another, the older one still serves the
// requests that it had begun. What they are sent to is the younger one's: for
// each lease that the older one has out there is one of the younger one's, so
// that the run is held up, and of a service that gives few at one time no more
// are out than that. Of a run that the older one drains, these are the last
// ones, on a gate that is shut.

// Leases are those that are out on a run.
type Leases struct {
	Holding int // they hold the service up
	Passive int // they do not
}

type unshare struct{ left Leases } // that the earlier engine still has

// Unshare tells that the earlier engine no longer uses the run it has left (see
// Spec.Shared). That counts as a use of it. Further calls do nothing.
func (v *Service) Unshare() { v.UnshareTo(Leases{}) }

// UnshareTo is Unshare, but for some leases that are left.
func (v *Service) UnshareTo(left Leases) { v.tell(unshare{left}) }

// shared is the leases on a run that an earlier engine uses.
type shared struct {
	run   Run    // 0: none
	out   Leases // as the earlier engine has them
	gate  *Gate
	ended lateUse // that had no gate yet
}

// shared is what the earlier engine has of the run.
func (s *Spec) shared(r Run) shared {
	out := s.SharedLeases
	if s.Shared {
		out.Holding = max(out.Holding, 1)
	}
	if out == (Leases{}) {
		return shared{}
	}
	return shared{run: r, out: out}
}

// opened takes the leases when the run has its gate, whether there is room for
// them or not: they are out.
func (s *shared) opened(g *Gate) {
	if s.run != 0 && s.run == g.Run() && s.gate == nil {
		g.admit(s.out)
		s.gate = g
	}
}

// shrink gives back what the earlier engine has no longer.
func (s *shared) shrink(left Leases) {
	if s.run == 0 {
		return
	}
	for s.out.Holding > left.Holding {
		s.out.Holding--
		relaxed := s.out.Passive < left.Passive
		if relaxed {
			s.out.Passive++
		}
		s.giveBack(relaxed)
		if s.out.Holding == 0 {
			s.ended = lateUse{s.run, time.Now()}
		}
	}
	for ; s.out.Passive > left.Passive; s.out.Passive-- {
		if s.gate != nil {
			s.gate.ReleasePassive()
		}
	}
	if s.out == (Leases{}) {
		*s = shared{ended: s.ended}
	}
}

// giveBack ends a lease that holds the service up, or makes it a passive one.
func (s *shared) giveBack(relaxed bool) {
	switch {
	case s.gate == nil:
	case relaxed:
		s.gate.Relax()
	default:
		s.gate.Release()
	}
}

// lateUse is a use by the earlier engine that ended before the run was found to be
// ready again.
type lateUse struct {
	run Run
	at  time.Time
}

// lastUse is that of a run which is opened, where used is what was known of it.
func (s *shared) lastUse(r Run, used time.Time) time.Time {
	if s.ended.run == r && r != 0 {
		return later(used, s.ended.at)
	}
	return used
}
