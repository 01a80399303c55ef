package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// asBot asks as what the tests' configs ignore.
func (e *engine) asBot(host, target string) reply {
	e.Helper()
	request, err := http.NewRequest("GET", "http://"+host+target, nil)
	if err != nil {
		e.Fatal(err)
	}
	request.Header.Set("User-Agent", "Mozilla/5.0 (compatible; UptimeRobot/2.0)")
	r, err := finish(e.client.Do(request))
	if err != nil {
		e.Fatal(err)
	}
	return r
}

// TestBotsNeitherWakeNorHold: who is ignored gets our answer while the service sleeps, the service's own while it is up,
// and does not keep it from sleeping.
func TestBotsNeitherWakeNorHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("held")
	e := w.start(`
logging: {enableRequestLog: true}
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1s
    ignore: {userAgents: [uptimerobot], paths: [/up], body: asleep}
`)
	asleep := func() {
		t.Helper()
		if r := e.asBot("blog", "/"); r.status != http.StatusServiceUnavailable || r.body != "asleep\n" || r.header.Get("Retry-After") != "" {
			t.Errorf("a bot gets %v", r)
		}
		if r := e.get("blog", "/up/db"); r.status != http.StatusOK || r.body != "asleep\n" {
			t.Errorf("a monitor gets %v", r)
		}
	}
	asleep()
	if n := e.starts("blog"); n != 0 {
		t.Fatalf("they have started it %d times", n)
	}
	held := e.later("GET", "blog", atHold+"?gate=held", nil)
	w.await("blog", "request", 1)
	for target, ask := range map[string]func(host, target string) reply{"/": e.asBot, "/up": e.get} {
		if got := e.seen(ask("blog", target)); got.Target != target {
			t.Errorf("while it is up, %s goes to %s", target, got.Target)
		}
	}
	w.open("held")
	e.outcome(held)
	// They go on asking, closer together than the idle time.
	e.until("it to be stopped although it is asked all the time", func() bool {
		r := e.asBot("blog", "/")
		return r.status == http.StatusServiceUnavailable && e.get("blog", "/up").body == "asleep\n" && e.inspect("blog").State == "stopped"
	})
	asleep()
	if n := e.starts("blog"); n != 1 {
		t.Errorf("%d starts; want 1", n)
	}
	for _, line := range strings.Split(e.log.String(), "\n") {
		if strings.Contains(line, `"msg":"request"`) && !strings.Contains(line, `"service":"blog"`) {
			t.Errorf("the request log does not know whose it is: %s", line)
		}
	}
}
