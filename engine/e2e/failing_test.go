package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

const failingServices = `
services:
  missing:
    run: [{{dir}}/no-such-program, --serve]
    base: http://127.0.0.1:{{port "missing"}}
    startTimeout: 10m
  directory:
    run: [{{dir}}]
    base: http://127.0.0.1:{{port "directory"}}
    startTimeout: 10m
  crashing:
    run: {{svc "crashing" "-crash=3" "-children=1"}}
    base: http://127.0.0.1:{{port "crashing"}}
    startTimeout: 10m
  silent:
    run: {{svc "silent" "-mute" "-children=1"}}
    base: http://127.0.0.1:{{port "silent"}}
    startTimeout: 2s
    stopTimeout: 5s
  deaf:
    run: {{svc "deaf" "-mute" "-stubborn"}}
    base: http://127.0.0.1:{{port "deaf"}}
    startTimeout: 2s
    stopTimeout: 200ms
  dying:
    run: {{svc "dying" "-fragile"}}
    base: http://127.0.0.1:{{port "dying"}}
    healthCheck: {type: http, url: /_/health}
    startTimeout: 10m
  unhealthy:
    run: {{svc "unhealthy" "-sick=1000000"}}
    base: http://127.0.0.1:{{port "unhealthy"}}
    healthCheck: {type: http, url: /_/health}
    startTimeout: 2s
`

// TestStartsThatFail: each ends in an answer, a line of the log that says why with the last words of the service, the
// state failed, and no process. Where the start fails before its timeout, that is so long that waiting for it would
// fail the test.
func TestStartsThatFail(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(failingServices)
	for _, c := range []struct {
		service string
		status  int
		says    string // in the line of the log
	}{
		{"missing", http.StatusBadGateway, "no-such-program"},
		{"directory", http.StatusBadGateway, e.dir},
		{"crashing", http.StatusBadGateway, lastWords},
		{"silent", http.StatusGatewayTimeout, "silent speaks on stderr"},
		{"deaf", http.StatusGatewayTimeout, "deaf speaks on stderr"},
		{"dying", http.StatusBadGateway, lastWords},
		{"unhealthy", http.StatusGatewayTimeout, "503"},
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
			if i := e.inspect(c.service); i.Reason == "" || i.Pid != 0 {
				t.Errorf("failed, it is %+v; want a reason and no pid", i)
			}
		})
	}
}

// saysWhy wants a line of the log about a failed start with these words. A start whose time was over before the service
// had spoken, or had been checked, as on a machine that stands still, is made again.
func (e *engine) saysWhy(service, words string) {
	e.Helper()
	e.logged(`"level":"ERROR"`, `"service":"`+service+`"`)
	e.until(fmt.Sprintf("a line about a failed start of %s with %q", service, words), func() bool {
		said := e.log.find(`"level":"ERROR"`, `"service":"`+service+`"`, words) != ""
		if !said {
			e.admin("POST", api+"services/"+service+"/start")
			e.reach(service, "failed") // which it may not be yet when it is answered
		}
		return said
	})
}

// TestADyingServiceThatWasReachable: with a plain tcp check it may count as ready for a moment; the client gets its
// answer all the same, and nothing stays.
func TestADyingServiceThatWasReachable(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  dying:
    run: {{svc "dying" "-fragile"}}
    base: http://127.0.0.1:{{port "dying"}}
    startTimeout: 10m
`)
	if r := e.get("dying", "/"); r.status != http.StatusBadGateway {
		t.Errorf("the client got %v; want 502", r)
	}
	e.down("dying")
	e.none("dying")
	e.logged(`"service":"dying"`, lastWords)
}
