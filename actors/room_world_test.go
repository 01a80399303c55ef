package actors

import (
	"slices"
	"syscall"
	"testing/synctest"
	"time"

	"dynapm/actors/keeper"
)

// happen is something that somebody does, or that goes wrong.
func (r *room) happen() {
	t := r.tenants[r.IntN(len(r.tenants))]
	switch n := r.IntN(100); {
	case n < 40:
		t.ask()
	case n < 50:
		p := r.orderer(t, false)
		r.note("%v starts %s", p, t.name)
		p.gives(Start{p.order, time.Now()})
	case n < 60:
		p := r.orderer(t, true)
		r.note("%v stops %s", p, t.name)
		p.gives(Stop{p.order, r.chance(20), time.Now()})
	case n < 68:
		if len(t.waiting) > 0 {
			g := t.waiting[r.IntN(len(t.waiting))]
			r.note("%v leaves %s", g, t.name)
			g.v.Cancel(g.waiter())
			g.depart()
		}
	case n < 75:
		r.kill(t)
	case n < 82:
		r.note("the actor of %s is to panic", t.name)
		if t.panics++; r.chance(50) && t.v.queue == nil { // else it may be in another's turn
			t.v.tell(Acquire{bomb{}, time.Now()})
		} else {
			t.fragile = true
		}
	case n < 86:
		r.vanish()
	case n < 88:
		r.crash()
	case n < 90:
		r.handOver()
	case n < 97:
		r.writes(r.upTo(100 * time.Millisecond))
	case n < 98 && t.told:
		t.v.KeepUp("the clock was set")
	case len(t.dependants) == 0: // what others depend on is there before them, and as long
		r.respawn(t)
	}
}

// kill ends what runs of a service, from outside.
func (r *room) kill(t *tenant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.procs {
		if p.tenant == t && p.alive && p.Role == keeper.RoleService {
			r.end(p, 0, syscall.SIGKILL)
		}
	}
}

// vanish is the end of the keeper. Another comes after a while, and what runs goes on.
func (r *room) vanish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keepers++
	r.away = time.Now().Add(r.upTo(2 * time.Second))
	r.write("the keeper is killed")
	for pid := 1; pid <= r.lastPid; pid++ {
		if p := r.procs[pid]; p.alive && p.Role != keeper.RoleService && p.Role != keeper.RoleStart {
			r.end(p, 0, 0) // it ends some time, and nobody will know how
		}
	}
}

// crash is the end of the engine by kill -9, and the beginning of the next: what was not durable is forgotten.
func (r *room) crash() {
	r.note("the engine is killed")
	r.mu.Lock()
	for _, t := range r.tenants {
		if n := len(t.stored); r.chance(80) {
			t.durable = n
		}
		if n := t.durable; n > 0 && r.chance(70) {
			if last := &t.stored[n-1]; last.Run == t.usedBy && t.used.After(last.LastUse) {
				last.LastUse = t.used
			}
		}
		t.leases = nil
	}
	r.mu.Unlock()
	r.sendAway()
	r.line.cut()
	engine := r.engine
	r.engine = 0 // what it still does is not done
	r.leave()
	r.engine = engine
	<-time.After(r.upTo(5 * time.Second))
	r.replace(false)
}

// handOver is the end of an engine whose place another takes, while it still serves what it had begun.
func (r *room) handOver() {
	r.note("another engine takes over")
	r.sendAway()
	r.leave()
	r.mu.Lock()
	for _, t := range r.tenants {
		t.durable = len(t.stored)
		if n := t.durable; n > 0 && len(t.leases) > 0 {
			t.stored[n-1].LastUse = time.Now()
		} else if n > 0 && t.used.After(t.stored[n-1].LastUse) && t.usedBy == t.stored[n-1].Run {
			t.stored[n-1].LastUse = t.used
		}
	}
	r.mu.Unlock()
	r.line.cut()
	r.replace(true)
}

// sendAway has all who wait ask the next engine, if they ask again.
func (r *room) sendAway() {
	for _, t := range r.tenants {
		for _, g := range slices.Clone(t.waiting) {
			g.depart()
		}
	}
}

// replace begins an engine when another has ended.
func (r *room) replace(shared bool) {
	for _, t := range r.tenants {
		t.bereave()
		r.loseUnsure(t)
	}
	synctest.Wait()
	r.open(shared)
}

// tearDown ends the world, whatever it has come to.
func (r *room) tearDown() {
	r.calm.Store(true)
	r.line.cut()
	r.engine = 0
	r.leave()
	r.mu.Lock()
	for _, p := range r.procs {
		r.end(p, 0, syscall.SIGKILL)
	}
	for _, t := range r.tenants {
		t.shutDoor()
	}
	r.mu.Unlock()
	for range 3 { // what an actor has begun to launch may come yet
		for _, t := range r.tenants {
			t.bereave()
		}
		<-time.After(time.Minute)
	}
}

// loseUnsure ends what a start command has left of which nobody could know: the start went on although the disk had
// failed, as the log has told.
func (r *room) loseUnsure(t *tenant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range t.unsure {
		if t.kind != "daemon" || t.durable > 0 && t.stored[t.durable-1].Memory.LastRun >= run {
			continue
		}
		for _, p := range r.procs {
			if p.tenant == t && p.Run == uint64(run) {
				r.end(p, 0, syscall.SIGKILL)
			}
		}
		if t.daemon == int(run) {
			t.daemon = 0
			t.shutDoor()
		}
	}
	t.unsure = nil
}

// bereave ends what goroutines of an engine that has ended wait for.
func (t *tenant) bereave() {
	for _, v := range append(t.former, t.v) {
		c := v.children
		c.mu.Lock()
		var all []keeper.Process
		for _, ch := range c.alive {
			all = append(all, ch.Process)
		}
		c.mu.Unlock()
		for _, p := range all {
			c.exited(keeper.Exit{Process: p, Unknown: true})
		}
	}
}

// respawn takes a service down for good, and has another of the same name.
func (r *room) respawn(t *tenant) {
	g := r.orderer(t, true)
	r.note("%v retires %s", g, t.name)
	v := t.v
	g.gives(Retire{g.order, time.Now()})
	var look func()
	look = func() {
		switch {
		case t.v != v || t.leaving != nil:
		case t.hasEnded():
			t.stored, t.durable, t.former = nil, 0, append(t.former, v)
			r.note("%s is spawned again", t.name)
			r.spawn([]*tenant{t}, false)
		default:
			r.in(100*time.Millisecond, look)
		}
	}
	r.in(100*time.Millisecond, look)
}
