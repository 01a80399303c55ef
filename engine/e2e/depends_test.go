package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const dependent = `
maxConcurrentStarts: 1
services:
  web:
    run: {{svc "web" "-stop-gate=web"}}
    base: http://127.0.0.1:{{port "web"}}
    dependsOn: [db, cache]
    idleTimeout: 1h
  db: {run: {{svc "db" "-start-gate=db"}}, base: "http://127.0.0.1:{{port "db"}}", dependsOn: [disk], idleTimeout: 1h}
  cache: {run: {{svc "cache"}}, base: "http://127.0.0.1:{{port "cache"}}", idleTimeout: 1h}
  disk: {run: {{svc "disk"}}, base: "http://127.0.0.1:{{port "disk"}}", idleTimeout: 1h}
`

// TestDependsOn: what a service depends on is up before it, comes back when it dies, is not stopped under it, neither by
// this engine nor by the next, and is taken down after it.
func TestDependsOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("db", "web")
	e := w.start(dependent)
	first := e.later("GET", "web.localhost", "/", nil)
	e.parked("web", 1)
	w.await("db", "start", 1)
	if i := e.inspect("web"); i.State != "starting" || !strings.Contains(i.Reason, "waiting for db") || w.starts("web") != 0 {
		t.Errorf("web is %+v, after %d starts", i, w.starts("web"))
	}
	if out := w.run("why", "db"); !strings.Contains(out.out, "web depends on it") {
		t.Errorf("why says of db: %v", out)
	}
	e.open("db")
	e.seen(e.outcome(first))
	w.await("cache", "listen", 1)

	e.kill()
	e = w.launch(e.config)
	e.ready()
	e.ask("web", "/")
	for _, name := range []string{"db", "cache", "disk"} {
		r := e.admin("POST", api+"services/"+name+"/stop")
		if r.status != http.StatusConflict || !strings.Contains(r.body, "depends on it") {
			t.Errorf("stop of %s: %v", name, r)
		}
	}
	if out := w.run("status", "db"); !strings.Contains(out.out, "web depends on it") || !strings.Contains(out.out, "disk") {
		t.Errorf("status says of db: %v", out)
	}
	if out := w.run("stop", "db"); out.code != 1 || !strings.Contains(out.errors, "stop web first") {
		t.Errorf("stop says of db: %v", out)
	}
	if err := syscall.Kill(e.reach("db", "ready").Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.open("db")
	w.await("db", "listen", 2)
	if n := w.starts("web"); n != 1 {
		t.Errorf("web was started %d times; want once", n)
	}

	e.signal(syscall.SIGINT)
	w.await("web", "term", 1)
	for _, name := range []string{"db", "cache", "disk"} {
		if len(w.events(name, "term")) > 0 {
			t.Errorf("%s was told to end before web had ended", name)
		}
	}
	e.open("web")
	if code := e.wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if n := len(w.events("disk", "term")); n != 1 {
		t.Errorf("disk was told to end %d times", n)
	}
}

// TestDependsOnWhatFails: the client is answered at once, and whoever looks is told what it was.
func TestDependsOnWhatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(`
services:
  web: {run: {{svc "web"}}, base: "http://127.0.0.1:{{port "web"}}", dependsOn: [db], startTimeout: 10m}
  db: {run: {{svc "db" "-crash=3"}}, base: "http://127.0.0.1:{{port "db"}}", startTimeout: 10m}
`)
	if r := e.get("web", "/"); r.status != http.StatusBadGateway || strings.Contains(r.body, "db") {
		t.Errorf("the client got %v", r)
	}
	const why = "db, which it depends on, is not up: exited with status 3"
	if i := e.inspect("web"); i.State != "failed" || !strings.HasPrefix(i.Reason, why) || !strings.Contains(i.Reason, lastWords) {
		t.Errorf("web is %+v", i)
	}
	e.logged(`"service":"web"`, why)
	if out := w.run("why", "web"); !strings.Contains(out.out, why) {
		t.Errorf("why says of web: %v", out)
	}
	if out := w.run("status"); !strings.Contains(out.out, why) {
		t.Errorf("status says: %v", out)
	}
	if web, db := w.starts("web"), w.starts("db"); web != 0 || db != 1 {
		t.Errorf("web was started %d times and db %d times", web, db)
	}
	if r := e.admin("POST", api+"services/web/start"); r.status != http.StatusInternalServerError || !strings.Contains(r.body, why) {
		t.Errorf("start of web: %v", r)
	}
}
