package actors

import (
	"context"
	"errors"
	"slices"
	"strings"
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
		p := r.newcomer(t, false)
		r.note("%v starts %s", p, t.name)
		p.order(Start{p, time.Now()})
	case n < 60:
		p := r.newcomer(t, true)
		r.note("%v stops %s", p, t.name)
		p.order(Stop{p, r.chance(20), time.Now()})
	case n < 68:
		if len(t.waiting) > 0 {
			g := t.waiting[r.IntN(len(t.waiting))]
			r.note("%v leaves %s", g, t.name)
			t.v.Cancel(g)
			g.depart()
		}
	case n < 75:
		r.kill(t)
	case n < 82:
		r.note("the actor of %s is to panic", t.name)
		if t.panics++; r.chance(50) {
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
	default:
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
	g := r.newcomer(t, true)
	r.note("%v retires %s", g, t.name)
	v := t.v
	g.order(Retire{g, time.Now()})
	var look func()
	look = func() {
		switch {
		case t.v != v || t.leaving != nil:
		case t.hasEnded():
			t.stored, t.durable, t.former = nil, 0, append(t.former, v)
			r.note("%s is spawned again", t.name)
			r.spawn(t, false)
		default:
			r.in(100*time.Millisecond, look)
		}
	}
	r.in(100*time.Millisecond, look)
}

// writes has the disk take its time, and come to an end with some of what it was given.
func (r *room) writes(d time.Duration) {
	for _, t := range r.tenants {
		n := len(t.stored)
		r.in(d, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			t.durable = max(t.durable, min(n, len(t.stored)))
		})
	}
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
				r.in(r.upTo(time.Millisecond), g.Release)
			}
		}
	}
}

// Record is Journal, and the store.
func (r *room) Record(rec Record) {
	if r.engine == 0 {
		return
	}
	t := r.tenantOf(rec.Service)
	r.note("%s: %v to %v (%s)", rec.Service, rec.From, rec.State, rec.Reason)
	t.mustFollow(rec)
	if !rec.Aside {
		t.last = rec
	}
	r.mu.Lock()
	if rec.State == StateFailed && rec.Run != 0 {
		t.doomed = rec.Run
	}
	t.stored = append(t.stored, Last{Memory: rec.Memory, State: rec.State, Reason: rec.Reason, Run: rec.Run, Since: rec.Since,
		ReadySince: rec.ReadySince, LastUse: rec.LastUse, Address: rec.Address})
	r.mu.Unlock()
	if t.fragile {
		t.fragile = false
		panic("injected")
	}
}

// intend makes what was recorded until now durable, in its time, if the disk works.
func (r *line) intend(ctx context.Context, rec Record) error {
	r.mu.Lock()
	c, t := r.of("intent "+rec.Service), r.tenantOf(rec.Service)
	t.unsure = append(t.unsure, rec.Run)
	r.mu.Unlock()
	select {
	case <-time.After(time.Duration(c.Int64N(int64([]time.Duration{time.Millisecond, 2 * time.Second}[c.IntN(2)])))):
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.IntN(10) == 0 {
		return errors.New("the disk is full")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return keeper.ErrClosed
	}
	t.unsure = slices.DeleteFunc(t.unsure, func(run Run) bool { return run == rec.Run })
	for i, last := range t.stored {
		if last.Run == rec.Run && last.State == rec.State {
			t.durable = max(t.durable, i+1)
		}
	}
	return nil
}

// mustFollow holds that the records of a service tell each change, and no stop for idleness that is none.
func (t *tenant) mustFollow(rec Record) {
	if t.reborn {
		t.reborn = false // it begins anew, in stopped
	} else if rec.From != t.last.State {
		t.room.fail("%s goes from %v to %v, and was %v", t.name, rec.From, rec.State, t.last.State)
	}
	if rec.State != StateStopping || !strings.HasPrefix(rec.Reason, "idle for") {
		return
	}
	for _, l := range t.leases {
		if l.gate.Run() == rec.Run {
			t.room.fail("%s is stopped as idle with a lease out, of engine %d", t.name, l.engine)
		}
	}
	if t.usedBy == rec.Run && time.Since(t.used) < t.spec.IdleTimeout {
		t.room.fail("%s is stopped as idle %v after its last use, and its time is %v", t.name, time.Since(t.used), t.spec.IdleTimeout)
	}
	if up := rec.At.Sub(rec.ReadySince); up < t.spec.MinUptime {
		t.room.fail("%s is stopped as idle after %v, and %v is the least", t.name, up, t.spec.MinUptime)
	}
}
