package actors

import (
	"math"
	"sync"
	"time"
)

// uses are the gates that are open, so that it can be told which services were
// used. It costs something per service that is up, and nothing on the path of a
// request.
type uses struct {
	mu   sync.Mutex
	open map[*Gate]*use
}

// use is what was told last of a gate.
type use struct {
	service string
	told    int64 // in the time of nanos
}

func (u *uses) opened(g *Gate, service string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = make(map[*Gate]*use)
	}
	u.open[g] = &use{service, math.MinInt64}
}

func (u *uses) closed(g *Gate) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, g)
}

// LastUses tells the last use of each service that is up and was used since the
// last call; one with a request under way is used now. The last use of a run
// that has ended is in its Records. tell must not call back.
func (s *System) LastUses(tell func(service string, at time.Time)) {
	u := &s.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	for g, last := range u.open {
		if used := g.used(); used != last.told {
			last.told = used
			tell(last.service, at(used))
		}
	}
}
