package actors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynapm/actors/probe"
)

// TestRunIsHeldUpForTheEngineBefore: requests of an engine that leaves are on their way in a service that would be idle.
func TestRunIsHeldUpForTheEngineBefore(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	spec.IdleTimeout = time.Hour
	h.wake(h.system.Spawn(spec)).Release()
	pid := askPid(t, address)
	spec = h.leave(spec)
	spec.Last.age(2 * time.Hour)
	spec.Shared = true
	v := h.come(spec)
	h.wait(0, StateReady)
	if s := h.status(v); s.State != StateReady || s.Holding != 1 || !alive(pid) {
		t.Errorf("it is %+v", s)
	}
	v.Unshare()
	v.Unshare()
	s := h.status(v)
	if age := time.Since(s.LastUse); s.State != StateReady || s.Holding != 0 || age > time.Hour {
		t.Errorf("after its last request it is %+v, last used %v ago", s, age)
	}
	// Of a run that has ended meanwhile nothing is held, nor of the next one.
	spec = h.leave(spec)
	kill(h, pid)
	v = h.come(spec)
	g := h.wake(v)
	defer g.Release()
	if s := h.status(v); s.Run != 2 || s.Holding != 1 {
		t.Errorf("the next run is %+v", s)
	}
}

// TestLeasesOfTheEngineBeforeCount: of a service that gives few at a time no more are out, over both engines.
func TestLeasesOfTheEngineBeforeCount(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	spec.MaxConcurrent = 3
	h.wake(h.system.Spawn(spec)).Release()
	spec = h.leave(spec)
	spec.Shared, spec.SharedLeases = true, Leases{Holding: 2, Passive: 1}
	v := h.come(spec)
	h.wait(0, StateReady)
	requests := []*request{newRequest(), newRequest()}
	for n, r := range requests {
		v.Wait(r)
		if s := h.status(v); s.Waiting != n+1 || s.Holding != 2 || s.Passive != 1 {
			t.Fatalf("it is %+v", s)
		}
	}
	next := func() {
		t.Helper()
		if refusal := h.answer(requests[0]); refusal != nil {
			t.Fatal(refusal)
		}
		v.Claim(requests[0]).Release()
		requests = requests[1:]
	}
	v.UnshareTo(Leases{Holding: 1, Passive: 2})
	if s := h.status(v); s.Waiting != 2 || s.Holding != 1 || s.Passive != 2 {
		t.Errorf("with one more that does not hold it up it is %+v", s)
	}
	v.UnshareTo(Leases{Passive: 2})
	next()
	next()
	v.UnshareTo(Leases{Passive: 1})
	v.Unshare()
	v.Unshare()
	if s := h.status(v); s.Waiting != 0 || s.Holding != 0 || s.Passive != 0 {
		t.Errorf("in the end it is %+v", s)
	}
}

// TestDrainGoesOnUnderTheNextEngine: what was being stopped by order is not, before the requests that the engine before
// still serves have ended, or the rest of their time has passed.
func TestDrainGoesOnUnderTheNextEngine(t *testing.T) {
	for name, hold := range map[string]bool{"and is to be held down": true, "and is wanted again": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			address := freeAddress(t)
			spec := h.spec(address, self("serve", address)...)
			spec.DrainTimeout = time.Hour
			v := h.system.Spawn(spec)
			h.wake(v) // a lease of the engine that is about to leave
			pid := askPid(t, address)
			go v.Stop(h.soon(), hold)
			h.wait(0, StateDraining)
			spec = h.leave(spec)
			spec.Shared = true
			v = h.come(spec)
			if s := h.status(v); s.State != StateDraining || s.ReadySince.IsZero() || s.Holding != 1 || s.Address != address || s.Pid != pid {
				t.Errorf("it is %+v", s)
			}
			if v.Acquire() != nil {
				t.Error("it lets requests in")
			}
			r := newRequest()
			v.Wait(r)
			if h.status(v); !alive(pid) {
				t.Error("it was stopped")
			}
			v.Unshare()
			h.wait(0, StateStopped)
			switch refusal := h.answer(r); {
			case hold && (refusal == nil || refusal.Reason != Held), !hold && refusal != nil:
				t.Errorf("a request that came meanwhile was answered %+v", refusal)
			}
			if alive(pid) {
				t.Error("it lives")
			}
		})
	}
	t.Run("and has no more time", func(t *testing.T) {
		h := newHouse(t)
		address := freeAddress(t)
		spec := h.spec(address, self("serve", address)...)
		spec.DrainTimeout = time.Hour
		v := h.system.Spawn(spec)
		h.wake(v)
		go v.Stop(h.soon(), false)
		h.wait(0, StateDraining)
		spec = h.leave(spec)
		spec.Last.Since = spec.Last.Since.Add(-spec.DrainTimeout)
		spec.Shared = true
		h.come(spec)
		if r, _ := h.wait(0, StateStopping); !strings.HasPrefix(r.Reason, "cut what was left") {
			t.Errorf("it was stopped: %s", r.Reason)
		}
		h.wait(0, StateStopped)
	})
}

// TestLastUseByTheEngineBeforeIsKnown, although it ended before the run was found to be ready.
func TestLastUseByTheEngineBeforeIsKnown(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	well := filepath.Join(h.dir, "well")
	spec := h.spec(address, self("serve", address)...)
	spec.IdleTimeout = time.Hour
	spec.Check = probe.Check{Kind: probe.Command, Command: "test -e " + well}
	if err := os.WriteFile(well, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.wake(h.system.Spawn(spec)).Release()
	spec = h.leave(spec)
	if err := os.Remove(well); err != nil {
		t.Fatal(err)
	}
	spec.Last.age(2 * time.Hour)
	spec.Shared = true
	v := h.come(spec)
	v.Unshare()
	v.Unshare()
	h.status(v) // it was told
	if err := os.WriteFile(well, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.wait(0, StateReady)
	if s := h.status(v); s.State != StateReady || time.Since(s.LastUse) > time.Hour {
		t.Errorf("it is %v, last used at %v", s.State, s.LastUse)
	}
}
