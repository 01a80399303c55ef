package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// stop asks the admin API to stop a service, in the background.
func (e *engine) stop(service string) <-chan result {
	done := make(chan result, 1)
	go func() {
		r, err := finish(http.Post(e.adminURL("services/"+service+"/stop"), "", nil))
		done <- result{r, err}
	}()
	return done
}

// down returns when the service has ended by itself: stopped, or failed if it did not even last for a second.
func (e *engine) down(service string) {
	e.Helper()
	e.until(service+" to be down", func() bool {
		state := e.inspect(service).State
		return state == "stopped" || state == "failed"
	})
}

// stopped waits for the end of a stop that must go well.
func (e *engine) stopped(service string, pending <-chan result) {
	e.Helper()
	if r := e.outcome(pending); r.status != http.StatusOK || !strings.Contains(r.body, `"success":true`) {
		e.Errorf("stopping %s: %v; want success", service, r)
	}
	if i := e.inspect(service); i.State != "stopped" || i.Pid != 0 {
		e.Errorf("%s was reported down and is %+v", service, i)
	}
}

const families = `
services:
  stubborn:
    run: {{svc "stubborn" "-stubborn"}}
    base: http://127.0.0.1:{{port "stubborn"}}
    stopTimeout: 2s
    idleTimeout: 1h
  family:
    run: {{svc "family" "-children=2"}}
    base: http://127.0.0.1:{{port "family"}}
    stopTimeout: 1m
    idleTimeout: 1h
  clan:
    run: {{svc "clan" "-children=1" "-strays=1"}}
    base: http://127.0.0.1:{{port "clan"}}
    stopTimeout: 2s
    idleTimeout: 1h
  orphaning:
    run: {{svc "orphaning" "-children=1" "-strays=1"}}
    base: http://127.0.0.1:{{port "orphaning"}}
    stopTimeout: 200ms
    idleTimeout: 1h
`

func TestStopEndsEveryProcess(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(families)
	for service, forked := range map[string][]string{
		"stubborn": nil,
		"family":   {"family-child"},
		"clan":     {"clan-child", "clan-stray"},
	} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			e := e.in(t)
			e.ask(service, "/")
			for _, name := range forked {
				e.await(name, "start", 1)
			}
			e.stopped(service, e.stop(service))
			if left := e.processes(service); len(left) > 0 {
				t.Errorf("it was reported down and has left %v", left)
			}
			if n := len(e.events(service, "term")); n != 1 {
				t.Errorf("it saw %d SIGTERMs; want one, before any SIGKILL", n)
			}
			if n := e.starts(service); n != 1 {
				t.Errorf("%d starts", n)
			}
		})
	}
	t.Run("orphaning", func(t *testing.T) {
		t.Parallel()
		e := e.in(t)
		e.ask("orphaning", "/")
		e.await("orphaning-child", "start", 1)
		e.await("orphaning-stray", "start", 1)
		e.try("GET", "orphaning", atDie, nil)
		e.down("orphaning")
		e.none("orphaning")
	})
}

// TestStopLetsRequestsEnd: an operator's stop waits for the requests in flight, up to drainTimeout, and new ones wait
// for the next run without calling the stop off.
func TestStopLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("finish")
	e := w.start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    drainTimeout: 1m
    idleTimeout: 1h
`)
	first := e.ask("blog", "/")
	e.rests("blog")
	held := e.later("GET", "blog", atHold+"?gate=finish", nil)
	e.await("blog", "request", 2)
	stop := e.stop("blog")
	if i := e.reach("blog", "draining"); i.Status != "stopping" || *i.ActiveConnections != 1 {
		t.Errorf("draining it is %+v", i)
	}
	next := e.later("GET", "blog", "/next", nil)
	e.parked("blog", 1)
	if !alive(first.Pid) || len(e.events("blog", "term")) > 0 {
		t.Error("told to end while a request is in flight")
	}
	e.open("finish")
	if r := e.outcome(held); r.status != http.StatusOK {
		t.Errorf("the request in flight got %v", r)
	}
	if r := e.outcome(stop); r.status != http.StatusOK {
		t.Errorf("the stop got %v", r)
	}
	if got := e.seen(e.outcome(next)); got.Pid == first.Pid || e.starts("blog") != 2 {
		t.Errorf("the request that came meanwhile was served by pid %d after %d starts; want a new run", got.Pid, e.starts("blog"))
	}
	if term := e.await("blog", "term", 1); term.Active != 0 {
		t.Errorf("told to end with %d requests in flight", term.Active)
	}
}

func TestStopCutsWhatOutlastsDrainTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("never")
	e := w.start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    drainTimeout: 200ms
    idleTimeout: 1h
`)
	held := e.later("GET", "blog", atHold+"?gate=never", nil)
	e.await("blog", "request", 1)
	e.stopped("blog", e.stop("blog"))
	if r := <-held; r.err == nil && r.status < 500 {
		t.Errorf("the request that was cut got %v; want an error it cannot mistake for an answer", r.reply)
	}
	e.none("blog")
}

// TestStopAndHold: a service that is held down stays down whatever comes, until it is started.
func TestStopAndHold(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1h
`)
	e.ask("blog", "/")
	if r := e.run("stop", "-hold", "blog"); r.code != 0 {
		t.Fatalf("dynapm stop -hold: %v", r)
	}
	if r := e.get("blog", "/"); r.status != http.StatusServiceUnavailable || e.starts("blog") != 1 {
		t.Errorf("held down, a request got %v after %d starts; want 503 and no start", r, e.starts("blog"))
	}
	if i := e.inspect("blog"); i.State != "stopped" || !i.Held {
		t.Errorf("held down it is %+v", i)
	}
	if r := e.run("start", "blog"); r.code != 0 {
		t.Errorf("dynapm start: %v", r)
	}
	if got := e.ask("blog", "/"); got.Requests != 1 || e.inspect("blog").Held {
		t.Errorf("started again it saw %+v and is %+v", got, e.inspect("blog"))
	}
}

// TestStopSignal: what the config names in place of SIGTERM. The helper knows only SIGTERM, so another ends it at once.
func TestStopSignal(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog" "-stubborn"}}
    base: http://127.0.0.1:{{port "blog"}}
    stopSignal: SIGQUIT
    stopTimeout: 10m
    idleTimeout: 1h
`)
	e.ask("blog", "/")
	e.stopped("blog", e.stop("blog"))
	if n := len(e.events("blog", "term")); n != 0 {
		t.Errorf("it saw %d SIGTERMs; want SIGQUIT instead", n)
	}
	e.none("blog")
}

// TestStopGivesTimeToAServiceBehindAShell: SIGTERM ends the shell at once; the service behind it has stopTimeout as any
// other has.
func TestStopGivesTimeToAServiceBehindAShell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("exits")
	e := w.start(`
services:
  blog:
    run: '{{sh "blog" "-stop-gate=exits"}} | cat'
    base: http://127.0.0.1:{{port "blog"}}
    stopTimeout: 1m
    idleTimeout: 1h
`)
	e.ask("blog", "/")
	stop := e.stop("blog")
	e.await("blog", "term", 1)
	e.open("exits")
	e.stopped("blog", stop)
	if n := len(e.events("blog", "exit")); n != 1 {
		t.Errorf("the service was killed while it was ending")
	}
	e.none("blog")
}
