package actors

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// panics makes the journal panic at the records that match, in the midst of the
// actor's turn.
func (d *diary) panics(match func(Record) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onEntry = func(r Record) {
		if match(r) {
			panic("injected")
		}
	}
}

// times is true for the first n changes of a service to state.
func times(n int, service string, state State) func(Record) bool {
	return func(r Record) bool {
		if r.Service != service || r.State != state || n == 0 {
			return false
		}
		n--
		return true
	}
}

// neighbours spawns a service that panics and one that must feel nothing.
func (h *house) neighbours() (v, other *Service, address string) {
	address, second := freeAddress(h.t), freeAddress(h.t)
	spec := h.spec(second, self("serve", second)...)
	spec.Name = "other"
	other = h.system.Spawn(spec)
	h.wake(other).Release()
	return h.system.Spawn(h.spec(address, self("serve", address)...)), other, address
}

func TestPanicLosesNobodyAndTheServiceIsAdopted(t *testing.T) {
	for _, state := range []State{StateStarting, StateReady} {
		t.Run(state.String(), func(t *testing.T) {
			h := newHouse(t)
			v, other, address := h.neighbours()
			h.diary.panics(times(1, "blog", state))
			var requests []*request
			for range 10 {
				r := newRequest()
				requests = append(requests, r)
				v.Wait(r)
			}
			for _, r := range requests {
				if refusal := h.answer(r); refusal != nil {
					t.Fatal(refusal)
				}
			}
			pid := askPid(t, address)
			if s := h.status(v); s.State != StateReady && s.State != StateStarting || s.Run == 0 {
				t.Errorf("status %+v", s)
			}
			h.wake(v).Release()
			if s := h.status(v); s.Pid != pid || s.State != StateReady {
				t.Errorf("after the panic: %+v; pid %d", s, pid)
			}
			if g := other.Acquire(); g == nil {
				t.Error("the other service felt it")
			} else {
				g.Release()
			}
		})
	}
}

func TestPanicOfAReadyServiceLeavesItsGateAsItIs(t *testing.T) {
	h := newHouse(t)
	v, _, address := h.neighbours()
	g := h.wake(v)
	pid := askPid(t, address)
	v.tell(Acquire{bomb{}, g.LastUse()})
	h.wake(v).Release() // answered by the next instance
	if again := v.gate.Load(); again != g || !g.isOpen() {
		t.Error("the run got another gate")
	}
	g.Release()
	if s := h.status(v); s.Pid != pid || s.Run != 1 || s.Holding != 0 {
		t.Errorf("status %+v, pid %d", s, pid)
	}
}

// bomb is a waiter that panics in the actor.
type bomb struct{}

func (bomb) Grant()         { panic("injected") }
func (bomb) Refuse(Refusal) { panic("injected") }

func TestSecondPanicWithinTenSecondsIsFailed(t *testing.T) {
	h := newHouse(t)
	var log journal
	h.system.options.Log = slog.New(slog.NewTextHandler(&log, nil))
	v, other, address := h.neighbours()
	h.wake(v).Release()
	pid := askPid(t, address)
	v.tell(Acquire{bomb{}, v.gate.Load().LastUse()})
	h.wake(v).Release()
	v.tell(Acquire{bomb{}, v.gate.Load().LastUse()})
	failed, _ := h.wait(0, StateFailed)
	if failed.Service != "blog" || !strings.Contains(failed.Reason, "panic: injected") {
		t.Errorf("recorded %+v", failed)
	}
	if v.Acquire() != nil {
		t.Error("the gate of a failed service is open")
	}
	if !strings.Contains(log.String(), "panicked") {
		t.Error("nothing is logged")
	}
	if g := other.Acquire(); g == nil {
		t.Error("the other service felt it")
	} else {
		g.Release()
	}
	g := h.wake(v) // the next request takes it up again
	defer g.Release()
	if again := askPid(t, address); again != pid {
		t.Errorf("pid %d, not %d", again, pid)
	}
}

func TestActorThatPanicsWhileItIsFailedRestsAndRecovers(t *testing.T) {
	h := newHouse(t)
	v, _, _ := h.neighbours()
	h.diary.panics(func() func(Record) bool {
		left := 3
		return func(r Record) bool {
			if r.Service != "blog" || left == 0 {
				return false
			}
			left--
			return true
		}
	}())
	if refusal := h.ask(v); refusal != nil && refusal.Reason != StartFailed && refusal.Reason != Backoff {
		t.Errorf("answered %+v", refusal)
	}
	h.until(func() bool { return h.ask(v) == nil })
}

func TestBackoffSurvivesAPanic(t *testing.T) {
	h := newHouse(t)
	v := h.system.Spawn(h.spec(freeAddress(t), self("crash", "3")...))
	for range 6 {
		if err := v.Start(h.soon()); err == nil {
			t.Fatal("it started")
		}
	}
	before := h.status(v)
	v.tell(Acquire{bomb{}, time.Now()})
	if refusal := h.ask(v); refusal == nil || refusal.Reason != Backoff {
		t.Errorf("answered %+v", refusal)
	}
	if s := h.status(v); s.State != StateFailed || s.Reason != before.Reason || !s.RetryAt.Equal(before.RetryAt) || s.StartCount != 6 {
		t.Errorf("was %+v\n and is %+v", before, s)
	}
}

// journal is a writer for a logger of which others read.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
