package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestTakeoverOfADrain: a service that was being stopped keeps the time that its last requests have, although it is the
// next engine's by then; and what is asked of it meanwhile waits for its next run.
func TestTakeoverOfADrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("finish")
	e := w.start(`
drainTimeout: 10m
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h, drainTimeout: 10m, responseTimeout: 10m}
`)
	held := e.later("GET", "blog", atHold+"?gate=finish", nil)
	using := e.await("blog", "request", 1)
	stop := e.stop("blog")
	e.reach("blog", "draining")
	next := e.takeOver()
	e.outcome(stop) // by an engine that has left: it cannot say how it ends
	if i := next.inspect("blog"); i.State != "draining" || i.Pid != using.Pid || *i.ActiveConnections != 1 {
		t.Errorf("under the next engine it is %+v", i)
	}
	waits := next.later("GET", "blog", "/next", nil)
	next.parked("blog", 1)
	if !alive(using.Pid) || len(w.events("blog", "term")) > 0 {
		t.Error("told to end while a request is in flight")
	}
	w.open("finish")
	if r := w.outcome(held); r.status != http.StatusOK {
		t.Errorf("the request in flight got %v", r)
	}
	if got := w.seen(w.outcome(waits)); got.Pid == using.Pid {
		t.Error("the next request met the run that was to end")
	}
	e.left()
}

// TestTakeoverCountsLeases: a service that serves two at a time gets two at a time, although two engines send to it.
func TestTakeoverCountsLeases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("one", "other")
	e := w.start(`
drainTimeout: 10m
services:
  two: {run: {{svc "two"}}, base: "http://127.0.0.1:{{port "two"}}", idleTimeout: 1h, maxConcurrent: 2, responseTimeout: 10m}
`)
	one := e.later("GET", "two", atHold+"?gate=one", nil)
	e.await("two", "request", 1)
	other := e.later("GET", "two", atHold+"?gate=other", nil)
	e.await("two", "request", 2)
	waited := e.later("GET", "two", "/waited", nil)
	e.parked("two", 1)
	next := e.takeOver()
	next.reach("two", "ready")
	next.parked("two", 1)
	if n := len(w.events("two", "request")); n != 2 {
		t.Errorf("%d requests have reached it; want 2", n)
	}
	w.open("one")
	w.outcome(one)
	if got := w.seen(w.outcome(waited)); got.Requests != 3 {
		t.Errorf("the request that waited came as its request %d", got.Requests)
	}
	w.open("other")
	w.outcome(other)
	e.left()
}

// TestTakeoverAfterATakeover: while the engine before still finishes requests no third one takes over, which could not be
// told what the first one uses; it is told to come again, and nothing is disturbed.
func TestTakeoverAfterATakeover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("finish")
	e := w.start(`
drainTimeout: 10m
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h, responseTimeout: 10m}
`)
	held := e.later("GET", "blog", atHold+"?gate=finish", nil)
	using := e.await("blog", "request", 1)
	next := e.takeOver()
	next.reach("blog", "ready")
	early := w.run("engine", "-config", e.config, "-takeover")
	want := fmt.Sprintf("the engine before it (pid %d) is still finishing requests", e.cmd.Process.Pid)
	if early.code != 1 || !strings.Contains(early.errors, want) {
		t.Errorf("the third engine: %v; want %q", early, want)
	}
	if i := next.inspect("blog"); i.State != "ready" || i.Pid != using.Pid || *i.ActiveConnections != 1 {
		t.Errorf("after that it is %+v", i)
	}
	w.open("finish")
	if r := w.outcome(held); r.status != http.StatusOK {
		t.Errorf("the request in flight got %v", r)
	}
	e.left()
	next.logged(`"msg":"the engine before this one has left"`)
	third := next.takeOver()
	next.left()
	if i := third.inspect("blog"); i.State != "ready" || i.Pid != using.Pid {
		t.Errorf("under the third engine it is %+v", i)
	}
}
