package e2e

import (
	"net/http"
	"syscall"
	"testing"
)

// TestRestartAlways: it is up before anybody asks, comes back after an exit, and stays down only by order, until somebody
// wants it or another engine comes.
func TestRestartAlways(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(`
services:
  always:
    run: {{svc "always"}}
    base: http://127.0.0.1:{{port "always"}}
    restart: always
  asked: {run: {{svc "asked"}}, base: "http://127.0.0.1:{{port "asked"}}"}
`)
	i := e.reach("always", "ready")
	if *i.IdleTimeout != 0 {
		t.Errorf("idleTimeout %d ms; want 0", *i.IdleTimeout)
	}
	if n := e.starts("asked"); n != 0 {
		t.Errorf("the other was started %d times without a request", n)
	}
	for n := 2; n <= 3; n++ { // the second time after a backoff
		if err := syscall.Kill(i.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e.await("always", "listen", n)
		i = e.reach("always", "ready")
	}
	if r := e.admin("POST", api+"services/always/stop"); r.status != http.StatusOK {
		t.Errorf("stop: %v", r)
	}
	if i := e.inspect("always"); i.State != "stopped" {
		t.Errorf("stopped by order it is %+v", i)
	}
	if e.ask("always", "/"); e.starts("always") != 4 {
		t.Errorf("%d starts", e.starts("always"))
	}
	if r := e.admin("POST", api+"services/always/stop"); r.status != http.StatusOK {
		t.Errorf("stop: %v", r)
	}
	e.interrupt()
	e.wait()
	e = w.launch(e.config)
	e.ready()
	e.await("always", "listen", 5)
}
