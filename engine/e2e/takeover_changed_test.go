package e2e

import (
	"net/http"
	"syscall"
	"testing"
)

// TestTakeoverByAnotherConfig: a service that the next engine's config drops, names anew or has run in another way keeps
// its process until the requests in flight have their answers.
func TestTakeoverByAnotherConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("dropped", "moved")
	e := w.start("drainTimeout: 1m\nservices:\n" + serviceOf("managed", "dropped", "", "") + serviceOf("managed", "unused", "", "") +
		serviceOf("managed", "moved", "", ""))
	e.ask("unused", "/")
	var held []<-chan result
	var pids []int
	for _, name := range []string{"dropped", "moved"} {
		held = append(held, e.later("GET", name, atHold+"?gate="+name, nil))
		pids = append(pids, e.await(name, "request", 1).Pid)
	}
	w.config("services:\n" + serviceOf("foreground", "moved", "", "") + serviceOf("managed", "renamed", "", ""))
	next := e.takeOver()
	next.ask("renamed", "/")
	w.await("unused", "term", 1) // nobody uses it
	for n, name := range []string{"dropped", "moved"} {
		if !alive(pids[n]) || len(w.events(name, "term")) > 0 {
			t.Errorf("%s was told to end while a request is in flight", name)
		}
	}
	w.open("dropped")
	w.open("moved")
	for _, r := range held {
		if r := w.outcome(r); r.status != http.StatusOK {
			t.Errorf("a request in flight got %v", r)
		}
	}
	e.left()
	w.await("dropped", "term", 1)
	w.await("moved", "term", 1)
	w.until("them to end", func() bool { return !alive(pids[0]) && !alive(pids[1]) })
	if got := next.ask("moved", "/"); got.Pid == pids[1] {
		t.Error("moved is still served by the process that the config has no place for")
	}
}

// TestTakeoverByAnotherConfigThatIsLeft: an engine that is told to leave while the one before uses such a service leaves it
// be, and the next one ends it.
func TestTakeoverByAnotherConfigThatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("finish")
	e := w.start("drainTimeout: 1m\nservices:\n" + serviceOf("managed", "dropped", "", ""))
	held := e.later("GET", "dropped", atHold+"?gate=finish", nil)
	pid := e.await("dropped", "request", 1).Pid
	w.config("services:\n" + serviceOf("managed", "blog", "", ""))
	next := e.takeOver()
	next.signal(syscall.SIGTERM)
	next.left()
	if !alive(pid) || len(w.events("dropped", "term")) > 0 {
		t.Error("told to end while a request is in flight")
	}
	w.open("finish")
	if r := w.outcome(held); r.status != http.StatusOK {
		t.Errorf("the request in flight got %v", r)
	}
	e.left()
	last := w.launch(e.config)
	last.ready()
	w.await("dropped", "term", 1)
}
