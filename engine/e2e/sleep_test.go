package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestAServiceThatExitsIsStartedAgain: that is no failure and waits for nothing, if it has lasted for a second.
func TestAServiceThatExitsIsStartedAgain(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  once:
    run: {{svc "once" "-lifetime=1"}}
    base: http://127.0.0.1:{{port "once"}}
    idleTimeout: 1m
`)
	for n := 1; n <= 2; n++ {
		if r := e.get("once", atSlow+"?ms=1100"); r.status != http.StatusOK {
			t.Errorf("run %d: got %v", n, r)
		}
		if i := e.reach("once", "stopped"); i.Reason == "" {
			t.Errorf("after it exited by itself it is stopped without a reason: %+v", i)
		}
		if got := e.starts("once"); got != n {
			t.Errorf("%d starts after %d requests", got, n)
		}
	}
}

// TestIdleTimeoutNever: a service that is to stay, stays, while another with a short idle time comes and goes.
func TestIdleTimeoutNever(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  stays: {run: {{svc "stays"}}, base: "http://127.0.0.1:{{port "stays"}}", idleTimeout: never}
  goes:  {run: {{svc "goes"}},  base: "http://127.0.0.1:{{port "goes"}}",  idleTimeout: 300ms}
`)
	first := e.ask("stays", "/")
	e.ask("goes", "/")
	e.reach("goes", "stopped")
	if last := e.ask("stays", "/"); last.Pid != first.Pid || e.starts("stays") != 1 {
		t.Errorf("it was pid %d, then %d", first.Pid, last.Pid)
	}
	// What the admin API says of it: no time at all.
	if i := e.inspect("stays"); *i.IdleTimeout != 0 {
		t.Errorf("idleTimeout %d ms; want 0", *i.IdleTimeout)
	}
	if d := time.Duration(*e.inspect("goes").IdleTimeout) * time.Millisecond; d != 300*time.Millisecond {
		t.Errorf("idleTimeout %v; want 300ms", d)
	}
}

// TestRequestsRacingWithIdleStops: whoever comes at the very moment at which a service is put to sleep is served, by
// the run that is or by the next.
func TestRequestsRacingWithIdleStops(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  naps:  {run: {{svc "naps"}},  base: "http://127.0.0.1:{{port "naps"}}",  idleTimeout: 20ms}
  clock: {run: {{svc "clock"}}, base: "http://127.0.0.1:{{port "clock"}}", idleTimeout: never}
`)
	var clients sync.WaitGroup
	for client := range 3 {
		clients.Go(func() {
			for n := range 20 {
				if r, err := e.try("GET", "naps", "/", nil); err != nil || r.status != http.StatusOK {
					t.Errorf("client %d, request %d: %v (%v)", client, n, r, err)
				}
				// The other service keeps the time between two requests: from 16 to 24 ms.
				if r, err := e.try("GET", "clock", fmt.Sprintf("%s?ms=%d", atSlow, 16+(7*client+3*n)%9), nil); err != nil || r.status != http.StatusOK {
					t.Errorf("clock: %v (%v)", r, err)
				}
			}
		})
	}
	clients.Wait()
	for n, term := range e.events("naps", "term") {
		if term.Active != 0 {
			t.Errorf("stop %d came with %d requests in flight", n+1, term.Active)
		}
	}
	if naps := e.starts("naps"); naps < 2 {
		t.Errorf("%d starts: no stop has raced with a request", naps)
	}
}
