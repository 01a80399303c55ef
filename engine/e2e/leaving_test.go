package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// several is a config with a service for each state in which an engine may have to leave it.
const several = `
services:
  ready:    {run: {{svc "ready" "-children=1" "-strays=1"}}, base: "http://127.0.0.1:{{port "ready"}}", idleTimeout: 1h, stopTimeout: 300ms}
  starting: {run: {{svc "starting" "-mute"}}, base: "http://127.0.0.1:{{port "starting"}}", idleTimeout: 1h}
  failed:   {run: {{svc "failed" "-crash=3"}}, base: "http://127.0.0.1:{{port "failed"}}", idleTimeout: 1h}
  asleep:   {run: {{svc "asleep"}}, base: "http://127.0.0.1:{{port "asleep"}}", idleTimeout: 1h}
  outside:
    base: http://127.0.0.1:{{port "outside"}}
    commands:
      start: '{{sh "outside"}} -listen=127.0.0.1:{{port "outside"}} & echo $! > outside.pid'
      stop: kill $(cat outside.pid)
    idleTimeout: 1h
`

// populate brings each of the services into its state.
func (e *engine) populate() {
	e.Helper()
	e.ask("ready", "/")
	e.await("ready-stray", "start", 1)
	e.ask("outside", "/")
	e.get("failed", "/")
	e.later("GET", "starting", "/", nil)
	e.await("starting", "start", 1)
}

// TestInterruptLeavesNothingBehind is Ctrl-C. That nothing is left, every test wants at its end.
func TestInterruptLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(several)
	e.populate()
	e.interrupt()
	e.nothingLeft()
	if n := e.starts("asleep"); n != 0 {
		t.Errorf("a service that nobody asked for was started %d times", n)
	}
}

// TestDownLeavesNothingBehind: `dynapm down` ends the services, the engine and the keeper.
func TestDownLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(several)
	e.populate()
	if r := e.run("down"); r.code != 0 {
		t.Errorf("dynapm down: %v", r)
	}
	if listening()[e.port("admin")] {
		t.Error("dynapm down said that the engine has left, and it listens")
	}
	if code := e.wait(); code != 0 {
		t.Errorf("the engine exited with %d; want 0", code)
	}
	e.nothingLeft()
	if r := e.run("status"); r.code != 1 {
		t.Errorf("dynapm status without an engine: %v; want exit 1", r)
	}
}

// TestSIGTERMLeavesServicesUp: the next engine finds them, with the same process, and no start.
func TestSIGTERMLeavesServicesUp(t *testing.T) {
	t.Parallel()
	const services = `
services:
  stays: {run: {{svc "stays" "-children=1"}}, base: "http://127.0.0.1:{{port "stays"}}", idleTimeout: 1h}
  naps:  {run: {{svc "naps"}},  base: "http://127.0.0.1:{{port "naps"}}",  idleTimeout: IDLE}
`
	w := newWorld(t)
	e := w.start(strings.Replace(services, "IDLE", "10m", 1)) // it has all the time to leave
	stays, naps := e.ask("stays", "/"), e.ask("naps", "/")
	e.signal(syscall.SIGTERM)
	if code := e.wait(); code != 0 {
		t.Fatalf("the engine exited with %d after SIGTERM; want 0:\n%s", code, e.log)
	}
	if !alive(stays.Pid) || !alive(naps.Pid) || len(w.processes("stays")) != 2 {
		t.Fatalf("services after SIGTERM: %v %v; want them up", w.processes("stays"), w.processes("naps"))
	}

	next := w.start(strings.Replace(services, "IDLE", "1s", 1))
	if i := next.reach("stays", "ready"); i.Pid != stays.Pid {
		t.Errorf("found again with pid %d; it has %d", i.Pid, stays.Pid)
	}
	if got := next.ask("stays", "/"); got.Pid != stays.Pid || got.Run != stays.Run || w.starts("stays") != 1 {
		t.Errorf("served by pid %d of run %s after %d starts; want pid %d of run %s", got.Pid, got.Run, w.starts("stays"), stays.Pid, stays.Run)
	}
	// One that is not used sleeps in time, though the engine that woke it has gone.
	next.reach("naps", "stopped")
	w.none("naps")
	if again := next.ask("naps", "/"); again.Pid == naps.Pid || again.Run == naps.Run {
		t.Errorf("woken again it is pid %d of run %s as before", again.Pid, again.Run)
	}
	next.interrupt()
	w.nothingLeft()
}

// TestLeavingFinishesRequests: what is in flight ends well, and nobody new is let in; afterwards SIGINT ends what runs,
// managed or delegated, and SIGTERM leaves it up.
func TestLeavingFinishesRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		signal syscall.Signal
		stays  bool
	}{{syscall.SIGINT, false}, {syscall.SIGTERM, true}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.gate("finish")
			e := w.start("drainTimeout: 10m\nservices:\n" + serviceOf("managed", "blog", "", "responseTimeout: 10m") + serviceOf("daemon", "shop", "", ""))
			shop := e.ask("shop", "/")
			held := e.later("GET", "blog", atHold+"?gate=finish", nil)
			blog := e.await("blog", "request", 1)
			e.signal(c.signal)
			e.acceptsNoMore()
			if len(e.events("blog", "term")) > 0 || e.ended() {
				t.Error("the service was told to end while a request is in flight")
			}
			e.open("finish")
			if r := e.outcome(held); r.status != http.StatusOK {
				t.Errorf("the request in flight got %v", r)
			}
			if code := e.wait(); code != 0 {
				t.Errorf("the engine exited with %d; want 0", code)
			}
			for _, pid := range []int{blog.Pid, shop.Pid} {
				if alive(pid) != c.stays {
					t.Errorf("pid %d lives: %v; want %v", pid, alive(pid), c.stays)
				}
			}
			if c.stays { // the next engine takes them down
				next := w.launch(e.config)
				next.ready()
				next.interrupt()
			}
			e.nothingLeft()
		})
	}
}

// TestLeavingCutsWhatOutlastsDrainTimeout: a request that never ends does not keep the engine.
func TestLeavingCutsWhatOutlastsDrainTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("never")
	e := w.start("drainTimeout: 300ms\nservices:\n" + serviceOf("managed", "blog", "", ""))
	held := e.later("GET", "blog", atHold+"?gate=never", nil)
	e.await("blog", "request", 1)
	e.signal(syscall.SIGINT)
	if code := e.wait(); code != 0 {
		t.Errorf("the engine exited with %d; want 0", code)
	}
	if r := <-held; r.err == nil {
		t.Errorf("the request that was cut got %v", r.reply)
	}
	e.logged(`"level":"WARN"`, "requests were cut off")
}

// acceptsNoMore returns when nobody new is let in.
func (e *engine) acceptsNoMore() {
	e.Helper()
	e.until("the engine to stop accepting", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port("front")))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// TestASecondSignalEndsAtOnce although a request is in flight that would be waited for.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("never")
	file := w.config(`
drainTimeout: 10m
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	e := w.launch(file)
	e.ready()
	held := e.later("GET", "blog", atHold+"?gate=never", nil)
	first := e.await("blog", "request", 1)
	e.signal(syscall.SIGTERM)
	e.logged(`"msg":"leaving"`)
	e.signal(syscall.SIGTERM)
	if code := e.wait(); code == 0 {
		t.Errorf("the engine exited with 0 though it had not finished")
	}
	if r := <-held; r.err == nil {
		t.Errorf("the request in flight got %v", r.reply)
	}
	if !alive(first.Pid) {
		t.Errorf("the service was ended by a signal that leaves services up")
	}
	// The next engine takes it down.
	next := w.launch(file)
	next.ready()
	next.reach("blog", "ready")
	next.interrupt()
	w.nothingLeft()
}

// TestInterruptWhileStarting: Ctrl-C at the first sign of life is an orderly end as well.
func TestInterruptWhileStarting(t *testing.T) {
	t.Parallel()
	for range 3 {
		w := newWorld(t)
		e := w.launch(w.config(several))
		w.until("the engine to listen", func() bool { return listening()[w.port("front")] })
		e.interrupt()
		e.nothingLeft()
	}
}
