package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"
)

const loaded = `
  managed: {run: {{svc "managed" "-children=1"}}, base: "http://127.0.0.1:{{port "managed"}}", idleTimeout: 5m}
  quiet:   {run: {{svc "quiet"}}, base: "http://127.0.0.1:{{port "quiet"}}", idleTimeout: 5m}
  asleep:  {run: {{svc "asleep"}}, base: "http://127.0.0.1:{{port "asleep"}}", idleTimeout: 5m}
`

// TestKilledUnderLoad: kill -9 while clients ask all the time, on connections that they keep and on new ones. The next
// engine's `dynapm status` says the same of every service but for the missing seconds, and no request fails that was
// made before or after these.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start("services:\n" + serviceOf("daemon", "daemon", "", "") + loaded)
	pids := map[string]int{}
	for _, name := range []string{"managed", "daemon", "quiet", "asleep"} {
		pids[name] = e.ask(name, "/").Pid
		e.rests(name)
	}
	e.stopped("asleep", e.stop("asleep"))
	crowd := e.crowd("managed", "daemon")
	crowd.proceed()
	before := e.statuses()

	from := time.Now()
	e.kill()
	next := e.launch(e.config)
	next.ready()
	until := time.Now()

	crowd.proceed()
	crowd.end()
	for _, r := range crowd.requests {
		if r.fault != nil && (r.began.After(until) || r.ended.Before(from)) {
			t.Errorf("%s, %v after the kill, %v before the next engine was there: %v", r.service, r.began.Sub(from), until.Sub(r.ended), r.fault)
		}
		if r.fault == nil && r.pid != pids[r.service] {
			t.Errorf("%s was served by pid %d, it had %d", r.service, r.pid, pids[r.service])
		}
	}
	for name, was := range before {
		next.sameAs(was)
		if n := e.starts(name); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
	t.Logf("%d requests, %d of them failed within the gap", len(crowd.requests), crowd.failed())
}

// status is a service in the words of `dynapm status -json`.
type status struct {
	info
	Since     int64 `json:"since"`
	LastStart struct{ At, Ready float64 }
}

// statuses asks `dynapm status -json` for every service.
func (e *engine) statuses() map[string]status {
	e.Helper()
	var all []struct{ Name string }
	if err := json.Unmarshal([]byte(e.good("status", "-json")), &all); err != nil {
		e.Fatal(err)
	}
	found := map[string]status{}
	for _, one := range all {
		var s status
		if err := json.Unmarshal([]byte(e.good("status", "-json", one.Name)), &s); err != nil {
			e.Fatal(err)
		}
		found[s.Name] = s
	}
	return found
}

// sameAs wants that a service is as it was.
func (e *engine) sameAs(was status) {
	e.Helper()
	e.reach(was.Name, was.State) // once it was seen that it is there
	is := e.statuses()[was.Name]
	if is.Pid != was.Pid || is.Since != was.Since || is.Reason != was.Reason || *is.StartCount != *was.StartCount || is.LastStart != was.LastStart {
		e.Errorf("%s was pid %d, %s since %d (%s) after %d starts, the last %v\nand is pid %d, %s since %d (%s) after %d starts, the last %v", was.Name,
			was.Pid, was.State, was.Since, was.Reason, *was.StartCount, was.LastStart, is.Pid, is.State, is.Since, is.Reason, *is.StartCount, is.LastStart)
	}
	if *is.Uptime < *was.Uptime {
		e.Errorf("%s was up for %d ms, and now for %d", was.Name, *was.Uptime, *is.Uptime)
	}
	if *is.LastAccessTime == 0 || was.Name == "quiet" && *is.LastAccessTime > *was.LastAccessTime {
		e.Errorf("%s was last used at %d, and is said to be at %d", was.Name, *was.LastAccessTime, *is.LastAccessTime)
	}
}

// request is one that was made under load.
type request struct {
	service      string
	began, ended time.Time
	pid          int
	fault        error // nil: 200 from the service
}

// crowd is clients that ask all the time: of each service one that keeps its connection, and one that does not.
type crowd struct {
	*engine
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu       sync.Mutex
	good     map[string]int // by client
	requests []request
}

func (e *engine) crowd(services ...string) *crowd {
	ctx, cancel := context.WithCancel(context.Background())
	c := &crowd{engine: e, cancel: cancel, good: map[string]int{}}
	e.Cleanup(cancel)
	for _, service := range services {
		for _, keep := range []bool{true, false} {
			client := e.clientOf(e.port("front"))
			client.Transport.(*http.Transport).DisableKeepAlives = !keep
			name := fmt.Sprint(service, keep)
			c.good[name] = 0
			c.all.Go(func() { c.ask(ctx, client, name, service) })
		}
	}
	return c
}

// ask makes one request after the other. The tick keeps it from spinning while nobody listens.
func (c *crowd) ask(ctx context.Context, client *http.Client, name, service string) {
	defer client.CloseIdleConnections()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r := request{service: service, began: time.Now()}
		reply, err := finish(client.Get("http://" + service + "/"))
		var body seen
		if err == nil && reply.status != http.StatusOK {
			err = fmt.Errorf("%v", reply)
		}
		if err == nil {
			err = json.Unmarshal([]byte(reply.body), &body)
		}
		r.ended, r.pid, r.fault = time.Now(), body.Pid, err
		c.mu.Lock()
		c.requests = append(c.requests, r)
		if err == nil {
			c.good[name]++
		}
		c.mu.Unlock()
	}
}

// proceed returns when each client has been served some more times.
func (c *crowd) proceed() {
	c.Helper()
	c.mu.Lock()
	before := maps.Clone(c.good)
	c.mu.Unlock()
	c.until("every client to be served", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for name, n := range before {
			if c.good[name] < n+20 {
				return false
			}
		}
		return true
	})
}

// end returns when the last request has been answered.
func (c *crowd) end() {
	c.cancel()
	c.all.Wait()
}

func (c *crowd) failed() (n int) {
	for _, r := range c.requests {
		if r.fault != nil {
			n++
		}
	}
	return n
}
