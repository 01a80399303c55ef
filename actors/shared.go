package actors

// While one engine takes the place of another, the older one still serves the
// requests that it had begun. What they are sent to is the younger one's: a
// lease of its own holds each run up that the older one uses.

type unshare struct{} // the earlier engine uses the run no longer

// Unshare tells that the earlier engine no longer uses the run it has left (see
// Spec.Shared). That counts as a use of it. Further calls do nothing.
func (v *Service) Unshare() { v.tell(unshare{}) }

// shared is the lease on a run that an earlier engine uses.
type shared struct {
	run  Run // 0: none
	gate *Gate
}

// opened takes the lease when the run has its gate: nobody but the actor could
// shut that again, so it succeeds.
func (s *shared) opened(g *Gate) {
	if s.run != 0 && s.run == g.Run() && s.gate == nil && g.Acquire() {
		s.gate = g
	}
}

func (s *shared) end() {
	if s.gate != nil {
		s.gate.Release()
	}
	*s = shared{}
}
