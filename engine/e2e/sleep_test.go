package e2e

import (
	"net/http"
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
    idleTimeout: 1h
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

// TestMinUptime: a service is not stopped as unused before its time, but then is.
func TestMinUptime(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 50ms, minUptime: 1500ms}
`)
	e.ask("blog", "/")
	e.reach("blog", "stopped")
	if up := time.Duration(*e.inspect("blog").Uptime) * time.Millisecond; up < 1500*time.Millisecond {
		t.Errorf("it was up for %v; want 1.5s at least", up)
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
