package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kill ends the engine with SIGKILL.
func (e *engine) kill() {
	e.Helper()
	e.signal(syscall.SIGKILL)
	<-e.exited
}

const everyState = `
services:
  ready:    {run: {{svc "ready"}},    base: "http://127.0.0.1:{{port "ready"}}",    idleTimeout: 1m}
  starting: {run: {{svc "starting" "-start-gate=may-listen"}}, base: "http://127.0.0.1:{{port "starting"}}", idleTimeout: 1m}
  draining: {run: {{svc "draining"}}, base: "http://127.0.0.1:{{port "draining"}}", idleTimeout: 1m, drainTimeout: 1m}
  stopping: {run: {{svc "stopping" "-stop-gate=exits"}}, base: "http://127.0.0.1:{{port "stopping"}}", idleTimeout: 1m, stopTimeout: 1m}
  failed:   {run: "echo out of luck; exit 3", idleTimeout: 1m}
  held:     {run: {{svc "held"}},     base: "http://127.0.0.1:{{port "held"}}",     idleTimeout: 1m}
  daemon:
    base: http://127.0.0.1:{{port "daemon"}}
    commands:
      start: '{{sh "daemon"}} -listen=127.0.0.1:{{port "daemon"}} & echo $! > daemon.pid'
      stop: kill $(cat daemon.pid)
    idleTimeout: 1m
`

// TestKilledEngine: kill -9 in every state a service can be in, and the next engine knows each: nothing is started
// twice or lost, and what was half done is finished.
func TestKilledEngine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("may-listen", "exits", "never")
	e := w.start(everyState)
	ready, daemon := e.ask("ready", "/"), e.ask("daemon", "/")
	e.ask("stopping", "/")
	e.stop("stopping")
	e.await("stopping", "term", 1)
	e.later("GET", "draining", atHold+"?gate=never", nil)
	e.await("draining", "request", 1)
	e.stop("draining")
	e.reach("draining", "draining")
	e.later("GET", "starting", "/", nil)
	starting := e.await("starting", "start", 1)
	for range 6 { // an operator need not wait for a backoff, and each failure lengthens it: 16 s by now
		e.admin("POST", api+"services/failed/start")
	}
	if r := e.run("stop", "-hold", "held"); r.code != 0 {
		t.Fatalf("dynapm stop -hold: %v", r)
	}
	e.kill()

	next := w.launch(e.config)
	next.ready()
	if i := next.reach("ready", "ready"); i.Pid != ready.Pid || *i.StartCount != 1 {
		t.Errorf("ready is known as pid %d after %d starts; it is %d after 1", i.Pid, *i.StartCount, ready.Pid)
	}
	if got := next.ask("ready", "/"); got.Pid != ready.Pid || w.starts("ready") != 1 {
		t.Errorf("ready is served by pid %d after %d starts", got.Pid, w.starts("ready"))
	}
	next.reach("daemon", "ready")
	if got := next.ask("daemon", "/"); got.Pid != daemon.Pid || w.starts("daemon") != 1 {
		t.Errorf("the daemon is served by pid %d after %d starts; it was %d", got.Pid, w.starts("daemon"), daemon.Pid)
	}
	w.open("may-listen")
	if got := next.ask("starting", "/"); got.Pid != starting.Pid || w.starts("starting") != 1 {
		t.Errorf("the half started service is served by pid %d after %d starts; it was %d", got.Pid, w.starts("starting"), starting.Pid)
	}
	w.await("draining", "term", 1)
	next.reach("draining", "stopped")
	w.none("draining")
	w.open("exits")
	next.reach("stopping", "stopped")
	w.none("stopping")
	if i := next.inspect("failed"); i.State != "failed" || !strings.Contains(i.Reason, "status 3") || *i.StartCount != 6 {
		t.Errorf("what failed is known as %+v", i)
	}
	if r := next.get("failed", "/"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("a request in the backoff got %v", r)
	}
	if r := next.get("held", "/"); r.status != http.StatusServiceUnavailable || !next.inspect("held").Held || w.starts("held") > 0 {
		t.Errorf("what was held down is %+v and answered %v", next.inspect("held"), r)
	}
}

// TestIdleClockGoesOnWhileTheEngineIsAway: the last use is remembered, and a service whose time ran out meanwhile sleeps
// as soon as it is found.
func TestIdleClockGoesOnWhileTheEngineIsAway(t *testing.T) {
	t.Parallel()
	const idle = 3 * time.Second
	w := newWorld(t)
	e := w.start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 3s}
`)
	e.ask("blog", "/")
	asked := time.Now()
	used := *e.inspect("blog").LastAccessTime
	e.until("the use to be written down", func() bool { return time.Since(asked) > 2*time.Second })
	e.kill()
	e.until("the idle time to be over", func() bool { return time.Since(asked) > idle })
	next := w.launch(e.config)
	next.ready()
	next.reach("blog", "stopped")
	if i := next.inspect("blog"); *i.LastAccessTime != used || w.starts("blog") != 1 {
		t.Errorf("last used at %d after %d starts; want %d after 1", *i.LastAccessTime, w.starts("blog"), used)
	}
	if line := next.logged(`"msg":"stopping"`, `"service":"blog"`); line["reason"] != "idle for 3s" {
		t.Errorf("it was stopped because %q", line["reason"])
	}
}

// TestAServiceGoneFromTheConfig is ended by the next engine, as gently as any other.
func TestAServiceGoneFromTheConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const stays = `
services:
  stays: {run: {{svc "stays"}}, base: "http://127.0.0.1:{{port "stays"}}", idleTimeout: 1m}
`
	e := w.start(stays + `
  goes: {run: {{svc "goes"}}, base: "http://127.0.0.1:{{port "goes"}}", idleTimeout: 1m}
  foreground:
    base: http://127.0.0.1:{{port "foreground"}}
    commands: {start: 'exec {{sh "foreground"}} -listen=127.0.0.1:{{port "foreground"}}', stop: "true"}
    idleTimeout: 1m
`)
	kept := e.ask("stays", "/")
	e.ask("goes", "/")
	e.ask("foreground", "/")
	e.signal(syscall.SIGTERM)
	e.wait()
	next := w.launch(w.config(stays))
	next.ready()
	for _, gone := range []string{"goes", "foreground"} {
		w.await(gone, "term", 1)
		w.none(gone)
	}
	if got := next.ask("stays", "/"); got.Pid != kept.Pid {
		t.Errorf("stays is served by pid %d; it was %d", got.Pid, kept.Pid)
	}
}

// TestAPortThatSomebodyElseHasNow is not adopted, and its holder is named.
func TestAPortThatSomebodyElseHasNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1m}
`)
	blog := e.ask("blog", "/")
	e.kill()
	if err := syscall.Kill(blog.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.until("its port to be free", func() bool { return !listening()[w.port("blog")] })
	release := w.occupy("blog")
	next := w.launch(e.config)
	next.ready()
	next.reach("blog", "stopped")
	if r := next.get("blog", "/"); r.status != http.StatusBadGateway {
		t.Errorf("a request got %v; want 502", r)
	}
	next.logged(`"msg":"failed"`, "is held by pid ")
	release()
	if got := next.ask("blog", "/"); got.Pid == blog.Pid {
		t.Error("served by a process that was killed")
	}
}

// TestKilledKeeper: the services of a keeper that is killed go on, and the next keeper has them: none is started twice,
// and each is stopped when it should be.
func TestKilledKeeper(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(`
services:
  stays: {run: {{svc "stays" "-children=1"}}, base: "http://127.0.0.1:{{port "stays"}}", idleTimeout: 1m}
  naps:  {run: {{svc "naps"}}, base: "http://127.0.0.1:{{port "naps"}}", idleTimeout: 1s}
`)
	stays := e.ask("stays", "/")
	e.ask("naps", "/")
	for _, p := range marked(w.mark) {
		if strings.Contains(p.command, " keeper ") {
			if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.reach("naps", "stopped")
	w.none("naps")
	if got := e.ask("stays", "/"); got.Pid != stays.Pid || w.starts("stays") != 1 {
		t.Errorf("served by pid %d after %d starts; it was %d", got.Pid, w.starts("stays"), stays.Pid)
	}
	e.ask("naps", "/") // and the next run is started by the next keeper
	e.stopped("stays", e.stop("stays"))
	w.none("stays")
}
