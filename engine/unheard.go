package engine

import (
	"cmp"

	"dynapm/engine/config"
	"dynapm/netio"
)

// unheards are the two ways in which a route meets requests that neither wake its service nor extend its time: those of
// monitors and bots.
type unheards struct {
	*config.Ignore
	byPath, byAgent *unheard
}

// unheard is the Route of such requests: they go to the service if it is up, else they are answered by us.
type unheard struct {
	*route
	answer netio.Answer
}

func newUnheards(r *route, i *config.Ignore) *unheards {
	way := func(status int) *unheard {
		return &unheard{r, netio.Answer{Status: cmp.Or(i.Status, status), Body: i.Body + "\n"}}
	}
	return &unheards{i, way(200), way(503)}
}

// find is nil for a request that is heard. It allocates nothing.
func (u *unheards) find(path []byte, fields netio.Fields) *unheard {
	for _, p := range u.Paths {
		if under(path, p) {
			return u.byPath
		}
	}
	if len(u.UserAgents) == 0 {
		return nil
	}
	agent := fields.Value("user-agent")
	for _, part := range u.UserAgents {
		if containsFold(agent, part) {
			return u.byAgent
		}
	}
	return nil
}

// containsFold tells whether s has part somewhere, which is in lower case; of s only ASCII letters have a case.
func containsFold(s []byte, part string) bool {
	for ; len(s) >= len(part); s = s[1:] {
		if lowered(s, part) {
			return true
		}
	}
	return false
}

func lowered(s []byte, part string) bool {
	for i := range len(part) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != part[i] {
			return false
		}
	}
	return true
}

// Acquire takes a passive lease if the service is up and has room: what is not heard does not queue.
func (u *unheard) Acquire(*netio.Waiter) (netio.Lease, *netio.Backend) {
	at, known := u.reached()
	if !known {
		return nil, nil
	}
	gate := u.actor.AcquirePassive()
	if gate == nil {
		return nil, nil
	}
	return passive{gate}, u.backendOf(gate, at)
}

// Wait answers: nothing is waited for.
func (u *unheard) Wait(w *netio.Waiter) { w.Refuse(u.answer) }

// Cancel has nothing to take back.
func (u *unheard) Cancel(*netio.Waiter) {}

// Served is about requests that have waited.
func (u *unheard) Served(netio.Lease, netio.Timing) string { return "" }
