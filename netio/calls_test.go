package netio

import (
	"io"
	"sync"
	"testing"
)

// TestSystemCalls counts the system calls of the loops, over some thousand requests on warm connections: four for a
// request, and two waits, which many connections share.
func TestSystemCalls(t *testing.T) {
	if !invariants {
		t.Skip("they are counted in builds with the race detector")
	}
	for name, c := range map[string]struct {
		clients, rounds int
		most            float64
	}{
		"one connection": {1, 2000, 6.2},
		"50 connections": {50, 100, 4.4},
	} {
		t.Run(name, func(t *testing.T) {
			var sending sync.RWMutex // the loops wait until all of a round's requests are sent: that many at once is the point
			r := newRig(t, plainBackend(t, ok2), func(o *Options) {
				o.Admission.(*gates).routed = func(int, string, string) { sending.RLock(); defer sending.RUnlock() }
			})
			sent, got := []byte(get("/")), make([]byte, len(ok2))
			peers := make([]*peer, c.clients)
			for i := range peers {
				peers[i] = r.dial()
			}
			round := func() {
				sending.Lock()
				for _, p := range peers {
					if _, err := p.Write(sent); err != nil {
						t.Fatal(err)
					}
				}
				sending.Unlock()
				for _, p := range peers {
					if _, err := io.ReadFull(p, got); err != nil || string(got) != ok2 {
						t.Fatalf("got %q, %v", got, err)
					}
				}
			}
			for range 10 {
				round()
			}
			before := calls.Load()
			for range c.rounds {
				round()
			}
			each := float64(calls.Load()-before) / float64(c.clients*c.rounds)
			t.Logf("%.2f calls for a request", each)
			if each > c.most {
				t.Errorf("%.2f calls for a request, more than %.1f", each, c.most)
			}
		})
	}
}
