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

// mustHaveRoom holds that no more leases on a run are out than may be, with those that an earlier engine has.
func (t *tenant) mustHaveRoom(g *Gate) {
	out := 0
	for _, l := range t.leases {
		if l.gate.Run() == g.Run() {
			out++
		}
	}
	if most := t.spec.MaxConcurrent; most > 0 && out > most {
		t.room.fail("%d leases on run %d of %s are out, and %d is the most", out, g.Run(), t.name, most)
	}
}

// foreign are the leases that engines before this one have out.
func (t *tenant) foreign() (out Leases) {
	for _, l := range t.leases {
		switch {
		case l.engine == t.room.engine:
		case l.passive:
			out.Passive++
		default:
			out.Holding++
		}
	}
	return out
}

func (t *tenant) release(l *lease) {
	if !slices.Contains(t.leases, l) {
		return // it was cut
	}
	t.drop(l)
	t.room.note("%s is released, run %d, passive %v", t.name, l.gate.Run(), l.passive)
	l.giveBack()
	if !l.passive {
		t.used, t.usedBy = time.Now(), l.gate.Run()
	}
	if l.engine != t.room.engine {
		t.v.UnshareTo(t.foreign())
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
