package engine

import (
	"testing"

	"dynapm/actors"
	"dynapm/engine/config"
	"dynapm/netio"
)

// TestLeasesDoNotAllocate takes the way of every request, of either kind, and exchanges the lease on it.
func TestLeasesDoNotAllocate(t *testing.T) {
	gate := actors.NewGate(0, "127.0.0.1:1")
	gate.Open()
	r := &route{service: &service{gate: gate}, engine: &Engine{traffic: &traffic{backends: map[*actors.Gate][]*netio.Backend{}}}}
	r.KeepAwake = config.KeepAwake{SSE: true}
	way := netio.Route(r)
	if _, b := way.Acquire(nil); !b.RelaxTunnels || b.RelaxEvents {
		t.Errorf("tunnels are relaxed: %v, events: %v", b.RelaxTunnels, b.RelaxEvents)
	}
	if n := testing.AllocsPerRun(100, func() {
		lease, _ := way.Acquire(nil)
		lease.Release()
		lease, _ = way.Acquire(nil)
		lease.Relax().Release()
	}); n != 0 {
		t.Errorf("a lease allocates %v times, want 0", n)
	}
	if holding, passive := gate.Counts(); holding != 1 || passive != 0 {
		t.Errorf("%d leases hold it up, %d do not; want the first", holding, passive)
	}
}

// TestServedIsOfTheLeasesRun: while a reply comes of one run, another loop may have met the next, whose wake is not told
// by that.
func TestServedIsOfTheLeasesRun(t *testing.T) {
	was, is := actors.NewGate(1, "127.0.0.1:1"), actors.NewGate(2, "127.0.0.1:1")
	r := &route{service: &service{}, engine: &Engine{cfg: &config.Config{}}}
	r.woke.Store(1)
	r.last.Store(&bound{gate: is})
	r.Served(holding{was}, netio.Timing{})
	if told := r.woke.Load(); told != 1 {
		t.Errorf("the wake of run %d was told", told)
	}
}
