package e2e

import (
	"net/http"
	"testing"
)

// TestTakeoverOfADrain: a service that was being stopped keeps the time that its last requests have, although it is the
// next engine's by then; and what is asked of it meanwhile waits for its next run.
func TestTakeoverOfADrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("finish")
	e := w.start(`
drainTimeout: 1m
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1m, drainTimeout: 1m}
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
