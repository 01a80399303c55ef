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
