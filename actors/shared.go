package actors

import "time"

// While one engine takes the place of another, the older one still serves the
// requests that it had begun. What they are sent to is the younger one's: a
// lease of its own holds each run up that the older one uses. Of a run that the
// older one drains, that lease is the last one, on a gate that is shut.

type unshare struct{} // the earlier engine uses the run no longer

// Unshare tells that the earlier engine no longer uses the run it has left (see
// Spec.Shared). That counts as a use of it. Further calls do nothing.
func (v *Service) Unshare() { v.tell(unshare{}) }

// shared is the lease on a run that an earlier engine uses.
type shared struct {
	run   Run // 0: none
	gate  *Gate
	ended lateUse // that had no gate yet
}

// opened takes the lease when the run has its gate: nobody but the actor could
// shut that again, so it succeeds.
func (s *shared) opened(g *Gate) {
	if s.run != 0 && s.run == g.Run() && s.gate == nil && g.Acquire() {
		s.gate = g
	}
}

func (s *shared) end() {
	if s.run == 0 {
		return
	}
	if s.gate != nil {
		s.gate.Release()
	}
	*s = shared{ended: lateUse{s.run, time.Now()}}
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
