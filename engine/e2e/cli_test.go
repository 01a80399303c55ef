package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// good runs a command that must succeed and say so.
func (e *engine) good(args ...string) string {
	e.Helper()
	r := e.run(args...)
	if r.code != 0 || r.out == "" || r.errors != "" {
		e.Errorf("dynapm %v: %v", args, r)
	}
	return r.out
}

// row is the line of `dynapm status` about a service.
func (e *engine) row(service string) string {
	e.Helper()
	for line := range strings.Lines(e.good("status")) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == service {
			return line
		}
	}
	e.Errorf("the table has no %s", service)
	return ""
}

const commanded = `
services:
  blog:    {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
  broken:  {run: {{svc "broken" "-crash=3"}}, base: "http://127.0.0.1:{{port "broken"}}"}
  outside: {proxyOnly: true, base: "http://127.0.0.1:{{port "outside"}}"}
`

func TestStatus(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(commanded)
	if lines := strings.Count(e.good("status"), "\n"); lines != 4 {
		t.Errorf("the table has %d lines; want a heading and three services", lines)
	}
	if got := e.row("blog"); !strings.Contains(got, "stopped") || !strings.Contains(got, "blog.localhost") {
		t.Errorf("asleep: %q", got)
	}
	e.ask("blog", "/")
	pid := fmt.Sprint(e.inspect("blog").Pid)
	if got := e.row("blog"); !strings.Contains(got, "ready") || !strings.Contains(got, pid) {
		t.Errorf("awake with pid %s: %q", pid, got)
	}
	if got := e.good("status", "blog"); !strings.Contains(got, "ready") || !strings.Contains(got, pid) || !strings.Contains(got, "launched") {
		t.Errorf("in detail: %q", got)
	}
	e.get("broken", "/")
	if got := e.row("broken"); !strings.Contains(got, "failed") {
		t.Errorf("failed: %q", got)
	}
	if got := e.good("status"); !strings.Contains(got, lastWords) {
		t.Errorf("the table does not tell why one failed: %q", got)
	}
	if got := e.good("status", "broken"); !strings.Contains(got, lastWords) {
		t.Errorf("the detail of one that failed does not tell why: %q", got)
	}
	var listed []info
	if err := json.Unmarshal([]byte(e.good("status", "-json")), &listed); err != nil || len(listed) != 3 || listed[0].State != "ready" {
		t.Errorf("status -json: %v %+v", err, listed)
	}
	var one info
	if err := json.Unmarshal([]byte(e.good("status", "blog", "-json")), &one); err != nil || one.Name != "blog" || one.StartCount == nil {
		t.Errorf("status blog -json: %v %+v", err, one)
	}
}

func TestStartStopRestart(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(commanded)
	e.good("start", "blog")
	first := e.inspect("blog")
	if first.State != "ready" {
		t.Errorf("started it is %s", first.State)
	}
	e.good("restart", "blog")
	if i := e.inspect("blog"); i.State != "ready" || i.Pid == first.Pid || e.starts("blog") != 2 {
		t.Errorf("restarted it is %+v; before it had pid %d", i, first.Pid)
	}
	e.good("stop", "blog", "-config", e.config) // flags may stand before or after names
	if i := e.inspect("blog"); i.State != "stopped" {
		t.Errorf("stopped it is %s", i.State)
	}
	e.good("restart", "-config", e.config, "blog") // from stopped it is a start
	if i := e.inspect("blog"); i.State != "ready" {
		t.Errorf("restarted from stopped it is %s", i.State)
	}
	for _, c := range []struct {
		args string
		says string
	}{
		{"start nobody", "no service nobody"},
		{"stop nobody", "no service nobody"},
		{"status nobody", "no service nobody"},
		{"logs nobody", "no service nobody"},
		{"start blog", "already"},
		{"start broken", lastWords},
		{"stop outside", "proxied"},
		{"logs outside", "proxied"},
	} {
		if r := e.run(strings.Fields(c.args)...); r.code != 1 || r.out != "" || !strings.Contains(r.errors, c.says) {
			t.Errorf("dynapm %s: %v\nwant exit 1 with %q", c.args, r, c.says)
		}
	}
}
