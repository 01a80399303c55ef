package actors

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

func TestIntentIsDurableBeforeTheStartCommandIsRun(t *testing.T) {
	h := newHouse(t)
	var v *Service
	var calls atomic.Int32
	allowed := make(chan error)
	h.system.options.Intent = func(ctx context.Context, r Record) error {
		calls.Add(1)
		if r.Service != "blog" || r.State != StateStarting || r.Run != 1 || r.LastRun != 1 || r.LastStart.Accepted.IsZero() {
			t.Errorf("the intent is %+v", r)
		}
		if _, err := os.Stat(h.logFile()); err == nil {
			t.Error("the start command was run before")
		}
		select {
		case err := <-allowed:
			return err
		case <-h.soon().Done():
			return errors.New("nobody allowed it")
		}
	}
	address := freeAddress(t)
	v = h.system.Spawn(h.daemon(address))
	r := newRequest()
	v.Wait(r)
	allowed <- errors.New("the disk is full") // a hint that is not kept is no reason not to serve
	if refusal := h.answer(r); refusal != nil {
		t.Fatal(refusal)
	}
	other := freeAddress(t)
	spec := h.spec(other, self("serve", other)...)
	spec.Name = "managed"
	h.wake(h.system.Spawn(spec)).Release()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d intents", n)
	}
}

func TestEngineThatLeavesRunsNoStartCommandBeforeItsIntentIsDurable(t *testing.T) {
	h := newHouse(t)
	begun, allowed := make(chan context.Context), make(chan error)
	h.system.options.Intent = func(ctx context.Context, _ Record) error {
		begun <- ctx
		select {
		case err := <-allowed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	spec := h.daemon(freeAddress(t))
	spec.Delegated.Start = "echo started"
	v := h.system.Spawn(spec)
	v.Wait(newRequest())
	ctx := <-begun
	v.tell(leave{})
	<-v.ended
	if errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the wait for the disk was given up")
	}
	close(allowed)
	h.until(func() bool {
		left, err := h.keeper.List()
		return size(h.logFile()) > 0 && err == nil && len(left) == 0
	})
}

func TestLastUsesTellsWhoWasUsed(t *testing.T) {
	h := newHouse(t)
	v, other, _ := h.neighbours()
	uses := func() map[string]time.Time {
		used := map[string]time.Time{}
		h.system.LastUses(func(service string, at time.Time) { used[service] = at })
		return used
	}
	if used := uses(); len(used) != 1 || used["other"].IsZero() {
		t.Errorf("one is up: %v", used)
	}
	if used := uses(); len(used) != 0 {
		t.Errorf("nothing was used since: %v", used)
	}
	g := h.wake(v)
	first := uses()["blog"]
	if second := uses()["blog"]; !second.After(first) {
		t.Errorf("with a request under way it was used at %v, and %v", first, second)
	}
	g.Release()
	if used := uses(); len(used) != 1 || used["blog"].Sub(g.LastUse()).Abs() > time.Millisecond {
		t.Errorf("used at %v: %v", g.LastUse(), used)
	}
	for _, s := range []*Service{v, other} {
		if err := s.Stop(h.soon(), false); err != nil {
			t.Fatal(err)
		}
	}
	if used := uses(); len(used) != 0 || len(h.system.uses.open) != 0 {
		t.Errorf("nothing is up: %v", used)
	}
}
