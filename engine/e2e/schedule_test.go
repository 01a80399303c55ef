package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSchedule: within its window a service is up before anybody asks, is not stopped as idle, also under the next engine,
// and is down by order until it is wanted or the next engine comes. Outside, nothing is different.
func TestSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := func(days int) string { // noon of another day
		at := time.Now().UTC().AddDate(0, 0, days)
		return fmt.Sprintf("0 12 %d %d *", at.Day(), at.Month())
	}
	config := `
services:
  office:
    run: {{svc "office"}}
    base: http://127.0.0.1:{{port "office"}}
    idleTimeout: 100ms
    schedule: [{up: YESTERDAY, down: LATER, timeZone: UTC}]
  holiday:
    run: {{svc "holiday"}}
    base: http://127.0.0.1:{{port "holiday"}}
    idleTimeout: 100ms
    schedule: [{up: LATER, down: YESTERDAY, timeZone: UTC}]
`
	e := w.start(strings.NewReplacer("YESTERDAY", day(-2), "LATER", day(3)).Replace(config))
	w.await("office", "listen", 1)
	pid := e.reach("office", "ready").Pid
	e.ask("holiday", "/")
	e.reach("holiday", "stopped") // after its idle time, which is that of the other too
	e.kill()
	e = w.launch(e.config)
	e.ready()
	e.ask("holiday", "/")
	e.reach("holiday", "stopped")
	if i := e.reach("office", "ready"); i.Pid != pid || w.starts("office") != 1 {
		t.Errorf("office is %+v after %d starts", i, w.starts("office"))
	}
	if out := w.run("status", "office"); !strings.Contains(out.out, "12:00 UTC by schedule") {
		t.Errorf("status says: %v", out)
	}
	if out := w.run("why", "office"); !strings.Contains(out.out, "it is kept up: up until ") {
		t.Errorf("why says: %v", out)
	}
	if r := e.admin("POST", api+"services/office/stop"); r.status != http.StatusOK {
		t.Errorf("stop: %v", r)
	}
	if i := e.inspect("office"); i.State != "stopped" || w.starts("office") != 1 {
		t.Errorf("stopped by order it is %+v", i)
	}
	e.interrupt()
	e = w.launch(e.config)
	e.ready()
	w.await("office", "listen", 2)
	if n := w.starts("holiday"); n != 2 {
		t.Errorf("%d starts out of its time", n)
	}
}
