package actors

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"dynapm/actors/keeper"
)

// Record is Journal, and the store.
func (r *room) Record(rec Record) {
	if r.engine == 0 {
		return
	}
	t := r.tenantOf(rec.Service)
	r.note("%s: %v to %v (%s)", rec.Service, rec.From, rec.State, rec.Reason)
	r.records++
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
		if t.last.State == StateReady {
			t.leftReady = t.room.records
		}
	} else if rec.From != t.last.State {
		t.room.fail("%s goes from %v to %v, and was %v", t.name, rec.From, rec.State, t.last.State)
	}
	idle := rec.State == StateStopping && strings.HasPrefix(rec.Reason, "idle for")
	t.mustHaveNeeds(rec, idle)
	if idle {
		t.mustBeIdle(rec)
		t.mustBeOver()
	}
}

func (t *tenant) mustBeIdle(rec Record) {
	for _, l := range t.leases {
		if l.gate.Run() == rec.Run && !l.passive {
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
