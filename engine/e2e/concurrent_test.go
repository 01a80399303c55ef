package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestMaxConcurrent: a service that serves one at a time gets one at a time, in the order of arrival, from the herd that
// woke it on. The queue is bounded, whoever leaves is out of it, and what stays open counts as one.
func TestMaxConcurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("start", "busy", "event")
	e := w.start(`
services:
  one:
    run: {{svc "one" "-start-gate=start"}}
    base: http://127.0.0.1:{{port "one"}}
    idleTimeout: 1h
    keepAwake: {websocket: false}
    maxConcurrent: 1
    maxPending: 3
`)
	var pending []<-chan result
	ask := func(target string) {
		pending = append(pending, e.later("GET", "one.localhost", target, nil))
	}
	for n := range 3 {
		ask(fmt.Sprintf("/cold/%d", n))
		e.parked("one", n+1)
	}
	e.open("start")
	for _, p := range pending {
		e.seen(e.outcome(p))
	}

	busy := e.later("GET", "one.localhost", atHold+"?gate=busy", nil)
	w.await("one", "request", 4)
	pending = nil
	ask("/0")
	e.parked("one", 1)
	leaves, _ := e.dial()
	e.send(leaves, "GET /leaves HTTP/1.1\nHost: one.localhost\n\n")
	e.parked("one", 2)
	ask("/1")
	e.parked("one", 3)
	if r := e.get("one.localhost", "/"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("the one above got %v; want 503 with Retry-After", r)
	}
	leaves.Close()
	e.parked("one", 2)
	ask("/2")
	e.parked("one", 3)
	e.open("busy")
	e.outcome(busy)
	for _, p := range pending {
		e.seen(e.outcome(p))
	}

	socket := e.socket("one.localhost")
	ask("/after/socket")
	e.parked("one", 1)
	socket.CloseNow()
	e.seen(e.outcome(pending[3]))
	stream := e.later("GET", "one.localhost", atSSE+"?n=1&gate=event", nil)
	w.await("one", "request", 10)
	ask("/after/stream")
	e.parked("one", 1)
	e.open("event")
	e.outcome(stream)
	e.seen(e.outcome(pending[4]))

	var order []string
	for _, r := range w.events("one", "request") {
		if r.Active != 1 {
			t.Errorf("%s came to %d at one time", r.Target, r.Active)
		}
		order = append(order, r.Target)
	}
	want := "/cold/0 /cold/1 /cold/2 " + atHold + "?gate=busy /0 /1 /2 " + atWS + " /after/socket " + atSSE + "?n=1&gate=event /after/stream"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("they came in the order\n%s\nnot\n%s", got, want)
	}
	if out := w.run("status", "one"); !strings.Contains(out.out, "at one time   1\n") {
		t.Errorf("status says: %v", out)
	}
	if n := e.inspect("one").Overloaded; n != 1 {
		t.Errorf("%d were counted as too many", n)
	}
}
