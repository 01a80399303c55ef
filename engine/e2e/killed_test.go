package e2e

import (
	"net/http"
	"os"
	"path/filepath"
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

// TestKilledEngine: kill -9 in every state a service can be in, and the next engine knows each: nothing is started
// twice or lost, and what was half done is finished.
func TestKilledEngine(t *testing.T) {
	t.Parallel()
	s := newWorld(t).inEveryState()
	s.kill()
	next := s.launch(s.config)
	next.ready()
	s.goOn(next)
}

// TestKilledKeeper: the services of a keeper that is killed go on, in whatever state they are, and the next keeper has
// them.
func TestKilledKeeper(t *testing.T) {
	t.Parallel()
	s := newWorld(t).inEveryState()
	s.killKeeper()
	s.goOn(s.engine)
	s.ask("ready-managed", "/") // and the next run is started by the next keeper
}

// TestKilledEngineAndKeeper at once: what runs is found by its marks, and by what is on record.
func TestKilledEngineAndKeeper(t *testing.T) {
	t.Parallel()
	s := newWorld(t).inEveryState()
	s.signal(syscall.SIGSTOP) // or it would find another keeper before it ends
	s.killKeeper()
	s.kill()
	next := s.launch(s.config)
	next.ready()
	s.goOn(next)
}

// TestIdleClockGoesOnWhileTheEngineIsAway: the last use is remembered, and a service whose time ran out meanwhile sleeps
// as soon as it is found.
func TestIdleClockGoesOnWhileTheEngineIsAway(t *testing.T) {
	t.Parallel()
	const services = `
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: IDLE}
`
	w := newWorld(t)
	e := w.start(strings.Replace(services, "IDLE", "10m", 1))
	e.ask("blog", "/")
	e.rests("blog")
	e.ask("blog", "/") // a second one: the first is on record with its start
	asked := time.Now()
	used := *e.rests("blog").LastAccessTime
	// By then it is written down, and the idle time that the next engine knows of is over.
	e.until("three seconds to be over", func() bool { return time.Since(asked) > 3*time.Second })
	e.kill()
	next := w.launch(w.config(strings.Replace(services, "IDLE", "3s", 1)))
	next.ready()
	next.reach("blog", "stopped")
	if i := next.inspect("blog"); *i.LastAccessTime != used || w.starts("blog") != 1 {
		t.Errorf("last used at %d after %d starts; want %d after 1", *i.LastAccessTime, w.starts("blog"), used)
	}
	if line := next.logged(`"msg":"stopping"`, `"service":"blog"`); line["reason"] != "idle for 3s" {
		t.Errorf("it was stopped because %q", line["reason"])
	}
}

// TestAServiceGoneFromTheConfig is ended by the next engine, as gently as any other, if it has a process of the keeper's.
func TestAServiceGoneFromTheConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const stays = `
services:
  stays: {run: {{svc "stays"}}, base: "http://127.0.0.1:{{port "stays"}}", idleTimeout: 1h}
`
	e := w.start(stays + `
  goes: {run: {{svc "goes"}}, base: "http://127.0.0.1:{{port "goes"}}", idleTimeout: 1h}
  foreground:
    base: http://127.0.0.1:{{port "foreground"}}
    commands: {start: 'exec {{sh "foreground"}} -listen=127.0.0.1:{{port "foreground"}}', stop: "true"}
    idleTimeout: 1h
  outside:
    base: http://127.0.0.1:{{port "outside"}}
    commands: {start: '{{sh "outside"}} -listen=127.0.0.1:{{port "outside"}} & echo $! >outside.pid', stop: kill $(cat outside.pid)}
    idleTimeout: 1h
`)
	outside := e.ask("outside", "/").Pid
	kept := e.ask("stays", "/")
	e.ask("goes", "/")
	e.ask("foreground", "/")
	e.signal(syscall.SIGTERM)
	e.wait()
	next := w.launch(w.config(stays))
	w.Cleanup(func() { syscall.Kill(outside, syscall.SIGKILL) }) // before the engine's own, which wants nothing left
	next.ready()
	next.logged(`"service":"outside"`, "stop it by hand") // only its stop command, which is gone, could do that
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
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
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

// TestAStoreThatWillNotOpen is set aside with a clear word, and what runs is known all the same: the keeper has it.
func TestAStoreThatWillNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start("services:\n" + serviceOf("managed", "blog", "", ""))
	blog := e.ask("blog", "/")
	e.kill()
	store := filepath.Join(w.state, "store")
	manifests, err := filepath.Glob(filepath.Join(store, "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("no manifest in %s: %v", store, err)
	}
	for _, path := range manifests {
		if err := os.WriteFile(path, []byte("not what was written"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := w.launch(e.config)
	next.ready()
	if got := next.ask("blog", "/"); got.Pid != blog.Pid || w.starts("blog") != 1 {
		t.Errorf("served by pid %d after %d starts; it was %d", got.Pid, w.starts("blog"), blog.Pid)
	}
	next.logged(`"level":"ERROR"`, "set aside", store)
	if aside, _ := filepath.Glob(store + "?*/MANIFEST-*"); len(aside) == 0 {
		t.Error("nothing was kept of it")
	}
}
