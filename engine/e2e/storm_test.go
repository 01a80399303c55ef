package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSoakColdStartsAtOnce: of many services that are all asked at the same time while they sleep, each is started once
// and answers, and each goes back to sleep. One of them has a command that fails: only its client hears of that.
func TestSoakColdStartsAtOnce(t *testing.T) {
	t.Parallel()
	services := repeated(25, 500)
	var text strings.Builder
	text.WriteString("services:\n  broken: {run: [sh, -c, exit 3], startTimeout: 10m}\n")
	for n := range services {
		fmt.Fprintf(&text, "  s%d: {run: {{svc \"s%d\" \"-raw\"}}, startTimeout: 10m, idleTimeout: 5s}\n", n, n)
	}
	e := newWorld(t).start(text.String())
	var clients sync.WaitGroup
	var l load
	begin := make(chan struct{})
	ask := func(service string, want int) {
		clients.Go(func() {
			<-begin
			since := time.Now()
			r, err := e.patient(10*time.Minute, service)
			l.took(since)
			if err != nil || r.status != want {
				l.failures.Add(1)
				t.Errorf("%s: %v (%v), want %d", service, r, err, want)
			}
		})
	}
	ask("broken", http.StatusBadGateway)
	for n := range services {
		ask(fmt.Sprintf("s%d", n), http.StatusOK)
	}
	close(begin)
	clients.Wait()
	t.Logf("%d cold starts at once: %v", services, &l)
	for n := range services {
		service := fmt.Sprintf("s%d", n)
		e.reach(service, "stopped")
		if starts := *e.inspect(service).StartCount; starts != 1 {
			t.Errorf("%s was started %d times", service, starts)
		}
	}
}

// patient is try for a request that may wait for long.
func (e *engine) patient(patience time.Duration, service string) (reply, error) {
	client := *e.client
	client.Timeout = patience
	request, err := http.NewRequest(http.MethodGet, "http://"+service+"/", nil)
	if err != nil {
		return reply{}, err
	}
	return finish(client.Do(request))
}
