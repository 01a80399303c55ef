package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const checkedServices = `
services:
  command:
    run: {{svc "command"}}
    base: http://127.0.0.1:{{port "command"}}
    healthCheck: {type: command, command: "echo asked >> {{dir}}/checks; test -e {{dir}}/healthy"}
    idleTimeout: 1h
  range:
    run: {{svc "range" "-sick=2"}}
    base: http://127.0.0.1:{{port "range"}}
    healthCheck: {type: http, url: /_/health, method: HEAD, expectedStatus: 500-599}
    idleTimeout: 1h
  fields:
    run: {{svc "fields" "-demands=probe.example Bearer 123"}}
    base: http://127.0.0.1:{{port "fields"}}
    healthCheck: {type: http, url: /_/health, headers: {Host: probe.example, Authorization: Bearer 123}}
    idleTimeout: 1h
  said:
    run: {{svc "said"}}
    base: http://127.0.0.1:{{port "said"}}
    healthCheck: {type: log, pattern: "^said speaks on stderr$"}
    idleTimeout: 1h
  notify:
    run: {{svc "notify" "-notifies"}}
    base: http://127.0.0.1:{{port "notify"}}
    healthCheck: {type: notify}
    idleTimeout: 1h
  other:
    # What is checked may be another port than the one that serves.
    run: {{svc "other"}}
    base: http://127.0.0.1:{{port "other"}}
    healthCheck: {type: tcp, port: {{port "aside"}}}
    idleTimeout: 1h
`

// TestKindsOfHealthCheck: tcp and http are among the scenarios; here is what else the config can say.
func TestKindsOfHealthCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(checkedServices)
	pending := e.later("GET", "command", "/", nil)
	e.await("command", "listen", 1)
	e.until("the check to be tried", func() bool {
		asked, _ := os.ReadFile(filepath.Join(e.dir, "checks"))
		return len(asked) > 0
	})
	if i := e.inspect("command"); i.State != "starting" || i.Waiting != 1 {
		t.Errorf("it listens and its check fails: %+v; want it starting with one request held", i)
	}
	e.write("healthy", "")
	e.seen(e.outcome(pending))

	if got := e.ask("range", "/"); got.Checks != 1 {
		t.Errorf("let through after %d checks; want 1, as 503 is what is expected", got.Checks)
	}

	e.ask("fields", "/")
	e.ask("said", "/")
	e.ask("notify", "/")

	pending = e.later("GET", "other", "/", nil)
	e.await("other", "listen", 1)
	if i := e.inspect("other"); i.State != "starting" {
		t.Errorf("before the checked port listens it is %s", i.State)
	}
	e.directly("aside")
	e.seen(e.outcome(pending))

	for service, kind := range map[string]string{"command": "command", "range": "http", "other": "tcp", "said": "log", "notify": "notify"} {
		if got := e.inspect(service).HealthCheck.Type; got != kind {
			t.Errorf("%s: the admin API says its check is %q; want %q", service, got, kind)
		}
	}
}

// TestCheckNone: there is nothing to check when the start command itself returns only when the service listens, as
// `docker run --wait` or `systemctl start` may. The request that wakes it must not come before that.
func TestCheckNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listening", "may-listen")
	e := w.start(`
services:
  none:
    base: http://127.0.0.1:{{port "none"}}
    healthCheck: {type: none}
    commands:
      start: '{{sh "none" "-start-gate=may-listen" "-opens=listening"}} -listen=127.0.0.1:{{port "none"}} & echo $! > none.pid; head -c 1 records/listening.gate > ready'
      stop: kill $(cat none.pid)
    idleTimeout: 1h
`)
	pending := e.later("GET", "none", "/", nil)
	e.await("none", "start", 1)
	e.open("may-listen")
	e.seen(e.outcome(pending))
	if _, err := os.Stat(filepath.Join(e.dir, "ready")); err != nil {
		t.Errorf("the start command had not returned when the request was served: %v", err)
	}
}

// TestAConnectionClosedWithoutAWordIsTriedAgain while the service may still be starting behind something that accepts
// for it, as docker-proxy does.
func TestAConnectionClosedWithoutAWordIsTriedAgain(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  container:
    run: {{svc "container" "-shy=5"}}
    base: http://127.0.0.1:{{port "container"}}
    healthCheck: {type: tcp}
    idleTimeout: 1h
`)
	e.ask("container", "/")
	if n := e.starts("container"); n != 1 {
		t.Errorf("%d starts", n)
	}
}

// TestLocalhostIsBothFamilies: a base on localhost is found wherever its service listens, as some choose ::1 alone.
func TestLocalhostIsBothFamilies(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  four: {run: {{svc "four"}} , base: "http://localhost:{{port "four"}}", idleTimeout: 1h, env: {HOST: 127.0.0.1}}
  six:  {run: {{svc "six"}}, base: "http://localhost:{{port "six"}}", idleTimeout: 1h, env: {HOST: "::1"}}
`)
	for service, family := range map[string]string{"four": "127.0.0.1:", "six": "[::1]:"} {
		if got := e.ask(service, "/"); !strings.HasPrefix(got.Remote, family) {
			t.Errorf("%s was reached from %s; want over %s", service, got.Remote, family)
		}
	}
}
