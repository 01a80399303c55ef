package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// daemon is a delegated service whose start command leaves it behind and returns, as most do.
const daemon = `
services:
  daemon:
    base: http://127.0.0.1:{{port "daemon"}}
    commands:
      start: '{{sh "daemon"}} -listen=127.0.0.1:{{port "daemon"}} & echo $! > daemon.pid; echo "started as $GREETING"'
      stop: 'kill $(cat daemon.pid); echo "stopped it"'
      check: kill -0 $(cat daemon.pid)
      env: {GREETING: good morning}
    idleTimeout: 300ms
`

func TestDelegatedDaemon(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(daemon)
	for n := 1; n <= 2; n++ {
		got := e.ask("daemon", "/")
		if pid, _ := os.ReadFile(filepath.Join(e.dir, "daemon.pid")); strings.TrimSpace(string(pid)) == "" || e.starts("daemon") != n {
			t.Fatalf("wake %d: %d starts, pid file %q", n, e.starts("daemon"), pid)
		}
		e.await("daemon", "term", n)
		e.reach("daemon", "stopped")
		e.none("daemon")
		if alive(got.Pid) {
			t.Errorf("stopped, and pid %d runs", got.Pid)
		}
	}
	// Only the stop command stops: exactly one signal a run came, from kill.
	if terms, starts := len(e.events("daemon", "term")), e.starts("daemon"); terms != starts {
		t.Errorf("%d SIGTERMs in %d runs", terms, starts)
	}
	start := e.events("daemon", "start")[0]
	if start.Dir != e.dir {
		t.Errorf("it ran in %s; want the folder of the config, %s", start.Dir, e.dir)
	}
	if env := strings.Join(start.Env, "\n"); !strings.Contains(env, "GREETING=good morning") || !strings.Contains(env, "DYNAPM_SERVICE=daemon") {
		t.Errorf("its environment lacks GREETING or DYNAPM_SERVICE:\n%s", env)
	}
	if r := e.run("logs", "daemon"); r.code != 0 || !strings.Contains(r.out, "started as good morning") {
		t.Errorf("dynapm logs: %v", r)
	}
}

// TestDelegatedStopWaitsForTheCheck: a service may close its listener long before it has ended. As long as its check says
// that it is up it is not down, and nothing is started beside it.
func TestDelegatedStopWaitsForTheCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("exits")
	e := w.start(`
services:
  daemon:
    base: http://127.0.0.1:{{port "daemon"}}
    commands:
      start: '{{sh "daemon" "-closes" "-stop-gate=exits"}} -listen=127.0.0.1:{{port "daemon"}} & echo $! > daemon.pid'
      stop: kill $(cat daemon.pid)
      check: kill -0 $(cat daemon.pid)
    idleTimeout: 1h
    stopTimeout: 1m
`)
	got := e.ask("daemon", "/")
	stop := e.stop("daemon")
	e.await("daemon", "term", 1)
	e.until("the service to listen no more", func() bool { return !listening()[e.port("daemon")] })
	if i := e.inspect("daemon"); i.State != "stopping" || !alive(got.Pid) {
		t.Errorf("with its process alive it is %+v", i)
	}
	e.open("exits")
	e.stopped("daemon", stop)
	e.none("daemon")
}

// TestDelegatedForeground: a start command may stay; then it ends with its service, by the stop command or else by us.
func TestDelegatedForeground(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  polite:
    base: http://127.0.0.1:{{port "polite"}}
    commands:
      start: 'echo $$ > polite.pid; exec {{sh "polite"}} -listen=127.0.0.1:{{port "polite"}}'
      stop: kill $(cat polite.pid)
    idleTimeout: 1h
  ignored:
    base: http://127.0.0.1:{{port "ignored"}}
    commands:
      start: 'exec {{sh "ignored" "-stubborn"}} -listen=127.0.0.1:{{port "ignored"}}'
      stop: echo did nothing
    stopTimeout: 300ms
    idleTimeout: 1h
`)
	for _, name := range []string{"polite", "ignored"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := e.in(t)
			first := e.ask(name, "/")
			e.stopped(name, e.stop(name))
			e.none(name)
			if second := e.ask(name, "/"); second.Pid == first.Pid || e.starts(name) != 2 {
				t.Errorf("woken again it is pid %d after %d, %d starts", second.Pid, first.Pid, e.starts(name))
			}
		})
	}
}

func TestDelegatedStartThatFails(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  missing:
    base: http://127.0.0.1:{{port "missing"}}
    commands: {start: no-such-program --serve, stop: "true"}
    startTimeout: 10m
  failing:
    base: http://127.0.0.1:{{port "failing"}}
    commands: {start: "echo cannot reach the daemon at {{dir}} >&2; exit 3", stop: "true"}
    startTimeout: 10m
  idling:
    base: http://127.0.0.1:{{port "idling"}}
    commands: {start: echo nothing listens, stop: "true"}
    startTimeout: 500ms
  staying:
    base: http://127.0.0.1:{{port "staying"}}
    commands: {start: 'exec {{sh "staying"}} -mute', stop: "true"}
    startTimeout: 2s
    stopTimeout: 500ms
`)
	for _, c := range []struct {
		service string
		status  int
		says    string
	}{
		{"missing", http.StatusBadGateway, "no-such-program"},
		{"failing", http.StatusBadGateway, "cannot reach the daemon"},
		{"idling", http.StatusGatewayTimeout, "nothing listens"},
		{"staying", http.StatusGatewayTimeout, "staying speaks on stderr"},
	} {
		t.Run(c.service, func(t *testing.T) {
			t.Parallel()
			e := e.in(t)
			r := e.get(c.service, "/")
			if r.status != c.status {
				t.Errorf("the client got %v; want %d", r, c.status)
			}
			e.leaksNothing(r)
			e.reach(c.service, "failed")
			e.saysWhy(c.service, c.says)
			e.none(c.service)
		})
	}
}

// TestDelegatedStopThatFails: it is never shown as stopped while it is not, and is tried again.
func TestDelegatedStopThatFails(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  sticky:
    base: http://127.0.0.1:{{port "sticky"}}
    commands:
      start: '{{sh "sticky"}} -listen=127.0.0.1:{{port "sticky"}} & echo $! > sticky.pid'
      stop: 'test -e allowed || { echo the lock is held >&2; exit 4; }; kill $(cat sticky.pid)'
      check: kill -0 $(cat sticky.pid)
    idleTimeout: 1h
`)
	first := e.ask("sticky", "/")
	if r := e.outcome(e.stop("sticky")); r.status != http.StatusInternalServerError || !strings.Contains(r.body, `"error"`) {
		t.Errorf("a stop that fails got %v; want 500 with the cause", r)
	}
	if i := e.reach("sticky", "failed"); i.Reason == "" || !alive(first.Pid) { // once more: it is being tried again
		t.Errorf("after it: %+v, pid %d alive %v; want it failed, with the reason, and running", i, first.Pid, alive(first.Pid))
	}
	e.logged(`"level":"ERROR"`, `"service":"sticky"`, "the lock is held")
	e.write("allowed", "")
	e.reach("sticky", "stopped")
	e.none("sticky")
}

// TestDelegatedLeavesOthersAlone: what else a start command has left behind, such as a daemon that several services
// share, is not ours to end.
func TestDelegatedLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  app:
    base: http://127.0.0.1:{{port "app"}}
    commands:
      start: |
        test -e shared || { touch shared; {{sh "shared"}} -mute & }
        {{sh "app"}} -listen=127.0.0.1:{{port "app"}} &
        echo $! > app.pid
      stop: kill $(cat app.pid)
    idleTimeout: 300ms
`)
	e.ask("app", "/")
	shared := e.await("shared", "start", 1)
	t.Cleanup(func() { syscall.Kill(shared.Pid, syscall.SIGKILL) }) // before the engine's own, which wants nothing left
	e.reach("app", "stopped")
	e.none("app")
	e.ask("app", "/")
	e.interrupt()
	if !alive(shared.Pid) || len(e.events("shared", "term")) > 0 {
		t.Errorf("the daemon beside the service was ended with it: alive %v, %d SIGTERMs", alive(shared.Pid), len(e.events("shared", "term")))
	}
}
