package actors

import (
	"slices"
	"time"
)

// lease is one that is out.
type lease struct {
	gate    *Gate
	engine  int
	passive bool
}

// ask goes through the gate, or waits for it to be opened.
func (t *tenant) ask() {
	if t.room.chance(10) {
		if g := t.v.AcquirePassive(); g != nil {
			t.hold(g, true)
		}
		return
	}
	if g := t.v.Acquire(); g != nil {
		t.hold(g, false)
		return
	}
	t.wait()
}

func (t *tenant) wait() {
	p := t.room.newcomer(t)
	t.room.note("%v asks for %s", p, t.name)
	p.v.Wait(p)
}

// hold gives the lease back after a while.
func (t *tenant) hold(g *Gate, passive bool) {
	l := &lease{gate: g, engine: t.room.engine, passive: passive}
	t.room.mu.Lock()
	t.leases = append(t.leases, l)
	t.room.mu.Unlock()
	t.room.note("%s is used, run %d, passive %v", t.name, g.Run(), passive)
	t.mustHaveRoom(g)
	t.room.in(t.room.upTo(20*time.Second), func() { t.release(l) })
}

// mustHaveRoom holds that no more leases are out than may be. All that an earlier engine has of the run count as one.
func (t *tenant) mustHaveRoom(g *Gate) {
	own, foreign := 0, 0
	for _, l := range t.leases {
		switch {
		case l.gate == g:
			own++
		case l.gate.Run() == g.Run() && !l.passive && t.foreign > 0:
			foreign = 1
		}
	}
	if most := t.spec.MaxConcurrent; most > 0 && own+foreign > most {
		t.room.fail("%d leases on %s are out, and %d of the engine before; %d is the most", own, t.name, foreign, most)
	}
}

func (t *tenant) release(l *lease) {
	if !slices.Contains(t.leases, l) {
		return // it was cut
	}
	t.drop(l)
	t.room.note("%s is released, run %d, passive %v", t.name, l.gate.Run(), l.passive)
	if l.giveBack(); l.passive {
		return
	}
	t.used, t.usedBy = time.Now(), l.gate.Run()
	if l.engine != t.room.engine {
		if t.foreign--; t.foreign == 0 {
			t.v.Unshare()
		}
	}
}

func (l *lease) giveBack() {
	if l.passive {
		l.gate.ReleasePassive()
	} else {
		l.gate.Release()
	}
}

// drop forgets a lease. Goroutines of runs look at them too.
func (t *tenant) drop(l *lease) {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	t.leases = slices.DeleteFunc(t.leases, func(o *lease) bool { return o == l })
}

// holding are the leases that are out through a gate and hold the service up.
func (t *tenant) holding(g *Gate) (n int) {
	for _, l := range t.leases {
		if l.gate == g && !l.passive {
			n++
		}
	}
	return n
}

// Close is Traffic: who is cut off has gone.
func (r *room) Close(g *Gate, cut bool) {
	if !cut {
		return
	}
	for _, t := range r.tenants {
		for _, l := range slices.Clone(t.leases) {
			if l.gate == g {
				t.drop(l)
				r.in(r.upTo(time.Millisecond), l.giveBack)
			}
		}
	}
}
