package actors

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTurnsComeInTheOrderTheyWereAskedFor(t *testing.T) {
	var came []int
	all := turns{free: 2}
	var asked []*turn
	for n := range 6 {
		one, atOnce := all.ask(func() { came = append(came, n) })
		if asked = append(asked, one); atOnce != (n < 2) {
			t.Fatal("two may start at once, and only two")
		}
	}
	all.end(asked[3]) // it has left before its turn
	all.end(asked[1])
	all.end(asked[0])
	if !slices.Equal(came, []int{2, 4}) {
		t.Errorf("the turns of %v came", came)
	}
	for _, n := range []int{2, 4, 5} {
		all.end(asked[n])
	}
	if all.free != 2 || len(all.waiting) != 0 || !slices.Equal(came, []int{2, 4, 5}) {
		t.Errorf("at the end %d are free and %d wait; the turns of %v came", all.free, len(all.waiting), came)
	}
}

// TestTurnsAreNeverLost has many ask, wait and leave at once.
func TestTurnsAreNeverLost(t *testing.T) {
	all := turns{free: 3}
	var running, most atomic.Int64
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for n := range 300 {
				came := make(chan struct{})
				mine, atOnce := all.ask(func() { close(came) })
				if n%7 == 0 {
					all.end(mine) // perhaps before its turn, perhaps in it
					continue
				}
				if !atOnce {
					<-came
				}
				now := running.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				running.Add(-1)
				all.end(mine)
			}
		})
	}
	clients.Wait()
	if all.free != 3 || len(all.waiting) != 0 || most.Load() > 3 {
		t.Errorf("%d are free, %d wait; at most %d ran at one time", all.free, len(all.waiting), most.Load())
	}
}

// TestStartsTakeTurns: one start at a time, the others wait and say so, whoever is stopped meanwhile leaves the queue,
// a failed start ends its turn, and all come to be up.
func TestStartsTakeTurns(t *testing.T) {
	h := newHouse(t)
	h.system.turns.free = 1
	gate := h.dir + "/go"
	var services []*Service
	var requests []*request
	ask := func(name string, argv func(address string) []string) {
		address := freeAddress(t)
		spec := h.spec(address, argv(address)...)
		spec.Name = name
		v, r := h.system.Spawn(spec), newRequest()
		v.Wait(r)
		h.status(v) // it has been handled
		services, requests = append(services, v), append(requests, r)
	}
	ask("late", func(a string) []string { return self("late", a, gate) })
	ask("stopped", func(a string) []string { return self("serve", a) })
	ask("crash", func(string) []string { return self("crash", "3") })
	for n := range 3 {
		ask(fmt.Sprint("serve", n), func(a string) []string { return self("serve", a) })
	}
	for _, v := range services[1:] {
		if s := h.status(v); s.State != StateStarting || s.Reason != "a request, waiting for its turn to start" || s.StartCount != 0 || s.Pid != 0 {
			t.Errorf("%s: %+v", v.Name(), s)
		}
	}
	if err := services[1].Stop(h.soon(), false); err != nil {
		t.Error(err)
	}
	if refusal := h.answer(requests[1]); refusal == nil || refusal.Reason != Interrupted {
		t.Errorf("a request for the one that was stopped got %+v", refusal)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if refusal := h.answer(requests[0]); refusal != nil {
		t.Error(refusal)
	}
	if refusal := h.answer(requests[2]); refusal == nil || refusal.Reason != StartFailed {
		t.Errorf("a request for the one that crashes got %+v", refusal)
	}
	for _, r := range requests[3:] {
		if refusal := h.answer(r); refusal != nil {
			t.Error(refusal)
		}
	}
	h.until(func() bool { return h.system.turns.quiet(1) })
	if s := h.status(services[1]); s.State != StateStopped || s.StartCount != 0 {
		t.Errorf("the one that was stopped: %+v", s)
	}
}

func (t *turns) quiet(free int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.free == free && len(t.waiting) == 0
}

// TestAPanicLosesNoTurn: neither that of a start which waits nor that of one under way.
func TestAPanicLosesNoTurn(t *testing.T) {
	h := newHouse(t)
	h.system.turns.free = 1
	gate := h.dir + "/go"
	spawn := func(name, how string, more ...string) (*Service, *request) {
		address := freeAddress(t)
		spec := h.spec(address, self(how, append([]string{address}, more...)...)...)
		spec.Name = name
		return h.system.Spawn(spec), newRequest()
	}
	h.diary.panics(func() func(Record) bool {
		var mu sync.Mutex
		left := map[string]int{"first": 1, "waits": 1}
		return func(r Record) bool {
			mu.Lock()
			defer mu.Unlock()
			if r.State != StateStarting || left[r.Service] == 0 {
				return false
			}
			left[r.Service]--
			return true
		}
	}())
	first, one := spawn("first", "late", gate)
	first.Wait(one)
	h.until(func() bool { return h.status(first).StartCount > 0 })
	waits, two := spawn("waits", "serve")
	waits.Wait(two)
	last, three := spawn("last", "serve")
	last.Wait(three)
	h.status(waits)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*request{one, two, three} {
		if refusal := h.answer(r); refusal != nil {
			t.Error(refusal)
		}
	}
	h.until(func() bool { return h.system.turns.quiet(1) })
}

// TestAnEngineThatLeavesBeginsNoFurtherStart: whoever waits for one is answered.
func TestAnEngineThatLeavesBeginsNoFurtherStart(t *testing.T) {
	h := newHouse(t)
	h.system.turns.free = 1
	var specs []Spec
	var requests []*request
	for _, name := range []string{"starts", "waits", "waits too"} {
		address := freeAddress(t)
		spec := h.spec(address, self("late", address, h.dir+"/go")...)
		spec.Name = name
		v, r := h.system.Spawn(spec), newRequest()
		v.Wait(r)
		specs, requests = append(specs, spec), append(requests, r)
		if name == "starts" {
			h.until(func() bool { return h.status(v).Pid != 0 })
		}
	}
	turns := &h.system.turns
	starts := h.nextEngine(specs[0])
	for _, r := range requests {
		if refusal := h.answer(r); refusal == nil || refusal.Reason != Closing {
			t.Errorf("answered %+v", refusal)
		}
	}
	turns.mu.Lock()
	if turns.free != 1 || len(turns.waiting) > 0 {
		t.Errorf("%d turns are free, and %d wait", turns.free, len(turns.waiting))
	}
	turns.mu.Unlock()
	if list, err := h.keeper.List(); err != nil || len(list) != 1 {
		t.Errorf("there are %+v, %v", list, err)
	}
	if err := os.WriteFile(h.dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if refusal := h.ask(starts); refusal != nil {
		t.Error(refusal)
	}
}
