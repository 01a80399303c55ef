package actors

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// narrow is an open gate with so many leases at one time.
func narrow(limit, most int) (*Gate, *queue) {
	g, q := NewGate(1, ""), newQueue(most)
	g.limit, g.queue = limit, q
	g.Open()
	return g, q
}

func TestQueueIsServedInTheOrderOfArrival(t *testing.T) {
	g, q := narrow(2, 3)
	if !g.Acquire() || !g.AcquirePassive() || g.Acquire() || g.AcquirePassive() {
		t.Fatal("not two leases at one time")
	}
	var all []*request
	for range 4 {
		r := newRequest()
		if !q.wait(g, r) {
			t.Fatal("the gate is open")
		}
		all = append(all, r)
	}
	if refusal := <-all[3].answer; refusal == nil || refusal.Reason != Overloaded || refusal.RetryAfter == 0 {
		t.Errorf("one too many was answered %+v", refusal)
	}
	if waiting, overloaded := q.counts(); waiting != 3 || overloaded != 1 {
		t.Errorf("%d wait, %d were too many", waiting, overloaded)
	}
	if _, shut := g.shutIdle(time.Now(), time.Time{}); shut {
		t.Error("idle, and somebody waits")
	}
	if !q.leave(all[1]) || q.leave(all[3]) {
		t.Error("who is in the queue?")
	}
	g.ReleasePassive()
	if g.Acquire() {
		t.Error("a newcomer came before those who wait")
	}
	if <-all[0].answer != nil || q.claim(all[0]) != g || q.claim(all[0]) != nil {
		t.Error("the first has no lease, or two")
	}
	g.Release()
	if <-all[2].answer != nil {
		t.Error("the third was refused")
	}
	if !q.leave(all[2]) { // between the grant and the claim
		t.Error("what it was granted is lost")
	}
	if h, p := g.Counts(); h != 1 || p != 0 || !g.Acquire() {
		t.Errorf("%d leases are out, and %d passive", h, p)
	}
}

func TestQueueOfOneThatLeavesLetsNewcomersIn(t *testing.T) {
	g, q := narrow(1, 5)
	g.Acquire()
	r := newRequest()
	q.wait(g, r)
	q.leave(r)
	g.Release()
	if !g.Acquire() {
		t.Error("the gate is marked, and nobody waits")
	}
}

func TestQueueOfAShutGate(t *testing.T) {
	g, q := narrow(1, 5)
	g.Acquire()
	r, late := newRequest(), newRequest()
	q.wait(g, r)
	g.Shut()
	if q.wait(g, late) {
		t.Error("waits for a lease on a gate that is shut")
	}
	g.Release()
	if all := q.clear(); !slices.Equal(all, []Waiter{r}) || len(r.answer) > 0 {
		t.Errorf("%v wait", all)
	}
	if !g.isDrained() {
		t.Error("a lease was lost")
	}
}

// TestQueueUnderLoad has many come, wait, leave and go at once: there are never more leases than may be, none is lost,
// and everybody is answered.
func TestQueueUnderLoad(t *testing.T) {
	const limit = 3
	g, q := narrow(limit, 1000)
	var out, most atomic.Int64
	var clients sync.WaitGroup
	use := func() {
		now := out.Add(1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		out.Add(-1)
		g.Release()
	}
	for range 20 {
		clients.Go(func() {
			for n := range 500 {
				if g.Acquire() {
					use()
					continue
				}
				r := newRequest()
				q.wait(g, r)
				if n%5 == 0 && q.leave(r) {
					continue
				}
				<-r.answer
				if q.claim(r) == nil {
					t.Error("granted, and there is no lease")
				}
				use()
			}
		})
	}
	clients.Wait()
	if h, p := g.Counts(); h != 0 || p != 0 || most.Load() > limit || g.word.Load()&queuedBit != 0 || len(q.let) > 0 {
		t.Errorf("%d and %d leases are out, there were %d", h, p, most.Load())
	}
}

// TestMaxConcurrent: whoever is above waits in the queue, and with the others for the next run if there is a stop.
func TestMaxConcurrent(t *testing.T) {
	h := newHouse(t)
	spec := h.memberSpec("blog", "serve")
	spec.MaxConcurrent = 1
	v := h.system.Spawn(spec)
	first := newRequest()
	v.Wait(first)
	if refusal := h.answer(first); refusal != nil {
		t.Fatal(refusal)
	}
	g := v.Claim(first)
	second, third := newRequest(), newRequest()
	v.Wait(second)
	v.Wait(third)
	if s := h.status(v); s.Holding != 1 || s.Waiting != 2 {
		t.Errorf("status %+v", s)
	}
	g.Release()
	if refusal := h.answer(second); refusal != nil {
		t.Fatal(refusal)
	}
	if g = v.Claim(second); g == nil || v.Acquire() != nil {
		t.Fatal("not one lease for the second")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- v.Stop(h.soon(), false) }()
	h.until(func() bool { return h.status(v).State == StateDraining })
	g.Release()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if refusal := h.answer(third); refusal != nil {
		t.Fatal(refusal)
	}
	if g = v.Claim(third); g == nil || g.Run() != 2 {
		t.Fatalf("the third was served by %+v", g)
	}
	v.Cancel(third) // harmless
	last := newRequest()
	v.Wait(last)
	v.Cancel(last)
	g.Release()
	if g = v.Acquire(); g == nil {
		t.Fatal("who has left stands in the way")
	}
	g.Release()
}

// TestMaxConcurrentOfOneThatCrashes: all who queue are served by the next run, whether the one before has failed or was up
// for long enough to have stopped.
func TestMaxConcurrentOfOneThatCrashes(t *testing.T) {
	h := newHouse(t)
	spec := h.memberSpec("blog", "serve")
	spec.MaxConcurrent = 1
	v := h.system.Spawn(spec)
	first := newRequest()
	v.Wait(first)
	if refusal := h.answer(first); refusal != nil {
		t.Fatal(refusal)
	}
	g := v.Claim(first)
	queued := []*request{newRequest(), newRequest(), newRequest()}
	for _, r := range queued {
		v.Wait(r)
	}
	if err := syscall.Kill(h.status(v).Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return h.status(v).Run == 2 })
	g.Release()
	for _, r := range queued {
		if refusal := h.answer(r); refusal != nil {
			t.Fatal(refusal)
		}
		g := v.Claim(r)
		if g == nil || g.Run() != 2 {
			t.Fatalf("served by %+v", g)
		}
		g.Release()
	}
	if s := h.status(v); s.StartCount != 2 {
		t.Errorf("status %+v", s)
	}
}

func BenchmarkGateWithLimit(b *testing.B) {
	g, _ := narrow(4, 5)
	b.ReportAllocs()
	for b.Loop() {
		g.Acquire()
		g.Release()
	}
}
