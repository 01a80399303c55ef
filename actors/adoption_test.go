package actors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// leave ends the engine, and returns the spec of its service as the next one has
// it: with all that was recorded.
func (h *house) leave(spec Spec) Spec {
	h.t.Helper()
	used := map[string]time.Time{}
	h.system.LastUses(func(service string, at time.Time) { used[service] = at })
	h.system.Close(h.soon())
	h.keeper.Close()
	spec.Last = h.last(spec.Name)
	h.diary.mu.Lock()
	defer h.diary.mu.Unlock()
	if spec.Last == nil {
		h.t.Fatal("nothing was recorded")
	}
	if at, ok := used[spec.Name]; ok {
		spec.Last.LastUse = at
	}
	h.diary.records = nil
	return spec
}

// last is what was recorded of a service last; nil: nothing.
func (h *house) last(name string) (last *Last) {
	h.diary.mu.Lock()
	defer h.diary.mu.Unlock()
	for _, r := range h.diary.records {
		if r.Service == name {
			last = &Last{Memory: r.Memory, State: r.State, Reason: r.Reason, Run: r.Run, Since: r.Since, ReadySince: r.ReadySince,
				LastUse: r.LastUse, Address: r.Address}
		}
	}
	return last
}

// age makes everything that was known longer ago.
func (l *Last) age(d time.Duration) {
	c := &l.Memory.LastStart
	for _, at := range []*time.Time{&l.ReadySince, &l.LastUse, &c.Accepted, &c.Launched, &c.Listening, &c.Ready} {
		if !at.IsZero() {
			*at = at.Add(-d)
		}
	}
}

// come is the start of the next engine.
func (h *house) come(spec Spec) *Service {
	h.t.Helper()
	h.open()
	spec.Found = h.found(spec.Name)
	return h.system.Spawn(spec)
}

// found is the process of a service that the keeper has; nil: none.
func (h *house) found(name string) *keeper.Process {
	h.t.Helper()
	list, err := h.keeper.List()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range list {
		if p.Service == name && (p.Role == keeper.RoleService || p.Role == keeper.RoleStart) {
			return &p
		}
	}
	return nil
}

// nextEngine is both.
func (h *house) nextEngine(spec Spec) *Service { return h.come(h.leave(spec)) }

func TestServiceIsKnownAgain(t *testing.T) {
	for name, of := range map[string]func(h *house, address string) Spec{
		"managed":   func(h *house, address string) Spec { return h.spec(address, self("serve", address)...) },
		"delegated": func(h *house, address string) Spec { return h.daemon(address) },
		"delegated, in the foreground": func(h *house, address string) Spec {
			spec := h.daemon(address)
			spec.Delegated.Start, spec.Delegated.Stop = "exec "+strings.Join(self("serve", address), " "), ""
			return spec
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			address := freeAddress(t)
			spec := of(h, address)
			v := h.system.Spawn(spec)
			h.wake(v).Release()
			pid, before := askPid(t, address), h.status(v)
			v = h.nextEngine(spec)
			ready, _ := h.wait(0, StateReady)
			if again := askPid(t, address); again != pid {
				t.Errorf("pid %d, not %d", again, pid)
			}
			s := h.status(v)
			if s.Run != 1 || s.StartCount != 1 || len(s.RecentStarts) != 1 || !s.ReadySince.Equal(before.ReadySince) ||
				s.LastStart != before.LastStart {
				t.Errorf("was %+v\n and is %+v", before, s)
			}
			if d := s.LastUse.Sub(before.LastUse); d.Abs() > time.Millisecond { // by another's clock of nanos
				t.Errorf("the last use moved by %v", d)
			}
			if ready.Pid != 0 && ready.StartTime == 0 || ready.Address != address || ready.LastUse.IsZero() || ready.StartCount != 1 {
				t.Errorf("recorded %+v", ready)
			}
			g := h.wake(v)
			g.Release()
			if err := v.Stop(h.soon(), false); err != nil {
				t.Fatal(err)
			}
			h.until(func() bool { return !alive(pid) })
			g = h.wake(v)
			defer g.Release()
			if g.Run() != 2 {
				t.Errorf("run %d after it", g.Run())
			}
		})
	}
}

func TestIdleServiceSleepsAtOnceWhenTheEngineComesBack(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	spec.IdleTimeout = time.Hour
	h.wake(h.system.Spawn(spec)).Release()
	pid := askPid(t, address)
	spec = h.leave(spec)
	spec.Last.age(2 * time.Hour)
	h.come(spec)
	_, next := h.wait(0, StateReady)
	stopping, next := h.wait(next, StateStopping)
	if !stopping.LastUse.Round(time.Millisecond).Equal(spec.Last.LastUse.Round(time.Millisecond)) {
		t.Errorf("last used at %v, not %v", stopping.LastUse, spec.Last.LastUse)
	}
	h.wait(next, StateStopped)
	if alive(pid) {
		t.Error("it lives")
	}
}

func TestIdleServiceServesThoseWhoWaitFirst(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	well := filepath.Join(h.dir, "well")
	getWell := func() {
		if err := os.WriteFile(well, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getWell()
	spec := h.spec(address, self("serve", address)...)
	spec.IdleTimeout = time.Hour
	spec.Check = probe.Check{Kind: probe.Command, Command: "test -e " + well}
	h.wake(h.system.Spawn(spec)).Release()
	h.until(func() bool { return probe.Listening(address) }) // of which the check knows nothing
	pid := askPid(t, address)
	spec = h.leave(spec)
	spec.Last.age(2 * time.Hour)
	if err := os.Remove(well); err != nil {
		t.Fatal(err)
	}
	v := h.come(spec)
	r := newRequest()
	v.Wait(r)
	getWell()
	if refusal := h.answer(r); refusal != nil {
		t.Fatal(refusal)
	}
	g := v.Acquire()
	if g == nil {
		t.Fatal("granted, and the gate is shut")
	}
	defer g.Release()
	if again := askPid(t, address); again != pid || g.Run() != 1 {
		t.Errorf("run %d, pid %d, not %d", g.Run(), again, pid)
	}
}

func TestFailureIsKnownAgain(t *testing.T) {
	h := newHouse(t)
	spec := h.spec(freeAddress(t), self("crash", "3")...)
	v := h.system.Spawn(spec)
	for range 7 {
		if err := v.Start(h.soon()); err == nil {
			t.Fatal("it started")
		}
	}
	before := h.status(v)
	v = h.nextEngine(spec)
	if s := h.status(v); s.State != StateFailed || s.Reason != before.Reason || !s.RetryAt.Equal(before.RetryAt) || len(s.RecentStarts) != 7 {
		t.Errorf("was %+v\n and is %+v", before, s)
	}
	if refusal := h.ask(v); refusal == nil || refusal.Reason != Backoff {
		t.Errorf("answered %+v", refusal)
	}
}

func TestHoldIsKnownAgain(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	if err := v.Stop(h.soon(), true); err != nil {
		t.Fatal(err)
	}
	v = h.nextEngine(spec)
	if refusal := h.ask(v); refusal == nil || refusal.Reason != Held {
		t.Errorf("answered %+v", refusal)
	}
}

func TestServiceThatIsToBeElsewhereIsStoppedFirst(t *testing.T) {
	h := newHouse(t)
	old := freeAddress(t)
	spec := h.spec(old, self("serve", old)...)
	h.wake(h.system.Spawn(spec)).Release()
	pid := askPid(t, old)
	spec = h.leave(spec)
	spec.Address = freeAddress(t)
	spec.Managed.Argv = self("serve", spec.Address)
	g := h.wake(h.come(spec))
	defer g.Release()
	if alive(pid) || g.Address() != spec.Address || g.Run() != 2 {
		t.Errorf("run %d at %s; the old one lives: %v", g.Run(), g.Address(), alive(pid))
	}
}
