package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// why is what the admin API says of how a service came to be as it is.
type why struct {
	State     string
	Reason    string
	Decisions []struct {
		State, Reason, Output string
		Run                   uint64
	}
	Starts []struct {
		Run                                              uint64
		Outcome                                          string
		Launched, Listening, Ready, Connected, FirstByte *float64
	}
}

func (e *engine) why(service string) why {
	e.Helper()
	var w why
	if err := json.Unmarshal([]byte(e.good("why", "-json", service)), &w); err != nil {
		e.Fatal(err)
	}
	return w
}

func (w why) states() (states []string) {
	for _, d := range w.Decisions {
		states = append(states, d.State)
	}
	return states
}

// TestWhy: the decisions of an engine with their reasons, and what the next engine knows of them.
func TestWhy(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
  broken: {run: "echo out of luck; exit 3", base: "http://127.0.0.1:{{port "broken"}}"}
`)
	e.ask("blog", "/")
	e.until("the first byte to be on record", func() bool { s := e.why("blog").Starts; return len(s) == 1 && s[0].FirstByte != nil })
	e.good("stop", "blog")
	e.get("broken", "/")
	blog := e.why("blog")
	if got := blog.states(); !slices.Equal(got, []string{"starting", "ready", "draining", "stopping", "stopped"}) {
		t.Errorf("blog was %v", got)
	}
	if d := blog.Decisions; d[0].Reason != "a request" || d[2].Reason != "stop ordered" || d[0].Run != 1 {
		t.Errorf("the reasons are %+v", d)
	}
	blog.clockIsWhole(t)
	if d := e.why("broken").Decisions; d[1].State != "failed" || d[1].Output != "out of luck" {
		t.Errorf("broken: %+v", d)
	}
	said := e.good("why", "blog")
	for _, words := range []string{`^blog is stopped, for .*: .*\nthe next request starts it\n`, `run 1 +starting +a request\n`,
		`run 1 +ready +launched after .* ms, listening after .* ms, ready after .* ms, connected after .* ms, first byte after .* ms\n$`} {
		if !regexp.MustCompile(words).MatchString(said) {
			t.Errorf("dynapm why blog says\n%swithout %s", said, words)
		}
	}
	if r := e.run("why", "blgo"); r.code != 1 || !strings.Contains(r.errors, "no service blgo; did you mean blog?") {
		t.Errorf("dynapm why blgo: %v", r)
	}
	e.answers(e.admin("GET", api+"services/blgo/why"), http.StatusNotFound, `{"error":"Service not found"}`)

	e.kill()
	next := e.launch(e.config)
	next.ready()
	later := next.why("blog")
	if later.State != "stopped" || later.Reason != blog.Reason || len(later.Decisions) != 0 {
		t.Errorf("the next engine says %+v; the one before %+v", later, blog)
	}
	later.clockIsWhole(t)
	if w := next.why("broken"); w.State != "failed" || len(w.Decisions) != 1 || w.Decisions[0].Output != "out of luck" {
		t.Errorf("of broken the next engine says %+v", w)
	}
}

// clockIsWhole wants one start with all its steps, in their order.
func (w why) clockIsWhole(t *testing.T) {
	t.Helper()
	if len(w.Starts) != 1 || w.Starts[0].Run != 1 || w.Starts[0].Outcome != "ready" {
		t.Fatalf("the starts are %+v", w.Starts)
	}
	s, last := w.Starts[0], 0.0
	for _, step := range []*float64{s.Launched, s.Listening, s.Ready, s.Connected, s.FirstByte} {
		if step == nil || *step < last {
			t.Fatalf("the clock is %+v", s)
		}
		last = *step
	}
}

// TestServerTiming: who waited for a start is told where the time went, if the config wants it, and nobody else.
func TestServerTiming(t *testing.T) {
	t.Parallel()
	const services = `
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`
	shape := regexp.MustCompile(`^launch;dur=[0-9.]+, listen;dur=[0-9.]+, connect;dur=[0-9.]+, reply;dur=[0-9.]+$`)
	e := newWorld(t).start("coldStartHeader: true\n" + services)
	if got := e.get("blog", "/").header.Values("Server-Timing"); len(got) != 1 || !shape.MatchString(got[0]) {
		t.Errorf("the first reply has %q", got)
	}
	if got := e.get("blog", "/").header.Values("Server-Timing"); got != nil {
		t.Errorf("the second reply has %q", got)
	}
	if got := newWorld(t).start(services).get("blog", "/").header.Values("Server-Timing"); got != nil {
		t.Errorf("where nobody wants it the first reply has %q", got)
	}
}
