package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestFiftyFirstRequestsMakeOneStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listens")
	e := w.start(`
services:
  blog:
    run: {{svc "blog" "-start-gate=listens"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1h
`)
	var pending []<-chan result
	for n := range 50 {
		pending = append(pending, e.later("GET", "blog.localhost", fmt.Sprintf("/%d", n), nil))
	}
	e.parked("blog", 50)
	e.open("listens")
	pids := map[int]bool{}
	for n, p := range pending {
		got := e.seen(e.outcome(p))
		pids[got.Pid] = true
		if want := fmt.Sprintf("/%d", n); got.Target != want {
			t.Errorf("request %s got the answer to %s", want, got.Target)
		}
	}
	if n := e.starts("blog"); n != 1 || len(pids) != 1 {
		t.Errorf("%d starts, answers from pids %v; want one", n, pids)
	}
}

// TestMoreThanCanBeHeld: the requests that wait for one service are bounded; who comes above is told to come again, and
// another service does not feel it.
func TestMoreThanCanBeHeld(t *testing.T) {
	t.Parallel()
	const held = 20
	w := newWorld(t)
	w.gate("listens", "other")
	e := w.start(`
services:
  blog:
    run: {{svc "blog" "-start-gate=listens"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1h
    maxPending: 20
  other:
    run: {{svc "other" "-start-gate=other"}}
    base: http://127.0.0.1:{{port "other"}}
    idleTimeout: 1h
`)
	var pending []<-chan result
	for range held {
		pending = append(pending, e.later("GET", "blog.localhost", "/", nil))
	}
	e.parked("blog", held)
	for range 3 {
		if r := e.get("blog.localhost", "/"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("the one above got %v; want 503 with Retry-After", r)
		}
	}
	if n := e.inspect("blog").Overloaded; n != 3 {
		t.Errorf("%d are counted as refused; want 3", n)
	}
	for range held + 1 { // the other has the default
		pending = append(pending, e.later("GET", "other.localhost", "/", nil))
	}
	e.parked("other", held+1)
	e.open("listens")
	e.open("other")
	for _, p := range pending {
		e.seen(e.outcome(p))
	}
	if n := e.starts("blog"); n != 1 {
		t.Errorf("%d starts", n)
	}
}

// TestStartsTakeTurns: a herd on one service is one start, and another service waits until that has ended, without its
// own time for a start running.
func TestStartsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("first", "second")
	e := w.start(`
maxConcurrentStarts: 1
services:
  first:
    run: {{svc "first" "-start-gate=first"}}
    base: http://127.0.0.1:{{port "first"}}
    idleTimeout: 1h
  second:
    run: {{svc "second" "-start-gate=second"}}
    base: http://127.0.0.1:{{port "second"}}
    idleTimeout: 1h
`)
	var pending []<-chan result
	for range 20 {
		pending = append(pending, e.later("GET", "first.localhost", "/", nil))
	}
	e.parked("first", 20)
	pending = append(pending, e.later("GET", "second.localhost", "/", nil))
	e.parked("second", 1)
	if i := e.inspect("second"); i.State != "starting" || !strings.Contains(i.Reason, "waiting for its turn") || *i.StartCount != 0 || i.Pid != 0 {
		t.Errorf("the second is %+v", i)
	}
	if n := len(w.events("second", "start")); n != 0 {
		t.Errorf("the second was started %d times before its turn", n)
	}
	e.open("first")
	w.await("second", "start", 1)
	e.open("second")
	for _, p := range pending {
		e.seen(e.outcome(p))
	}
	if a, b := e.starts("first"), e.starts("second"); a != 1 || b != 1 {
		t.Errorf("%d and %d starts; want one each", a, b)
	}
}

func TestFailedStartAnswersAllThenBacksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("crashes")
	e := w.start(`
services:
  blog:
    run: {{svc "blog" "-start-gate=crashes" "-crash=3"}}
    base: http://127.0.0.1:{{port "blog"}}
    startTimeout: 10m
    idleTimeout: 1h
`)
	var pending []<-chan result
	for range 20 {
		pending = append(pending, e.later("GET", "blog", "/", nil))
	}
	e.parked("blog", 20)
	e.open("crashes")
	for _, p := range pending {
		r := e.outcome(p)
		if r.status != http.StatusBadGateway || !strings.Contains(r.body, "failed to start") {
			t.Errorf("a request that waited got %v; want 502 and that it failed to start", r)
		}
		e.leaksNothing(r)
	}
	if n := e.starts("blog"); n != 1 {
		t.Errorf("%d starts for requests that came together; want 1", n)
	}
	e.reach("blog", "failed")
	e.logged(`"level":"ERROR"`, `"service":"blog"`, lastWords)
	e.none("blog")

	e.backsOff()
}

// backsOff wants of a service whose first start has failed: one more try at once, then 503 for a while, then another try.
func (e *engine) backsOff() {
	e.Helper()
	for range 10 { // from now on each start crashes at once
		e.open("crashes")
	}
	// The next request tries again at once.
	if r := e.get("blog", "/"); r.status != http.StatusBadGateway || e.starts("blog") != 2 {
		e.Errorf("the next request got %v after %d starts; want 502 of a second start", r, e.starts("blog"))
	}
	// Further ones are told when to come again; on a machine that stands still for as long as the backoff, after one more
	// start, which makes the backoff longer.
	starts, r := 2, e.get("blog", "/")
	for r.status == http.StatusBadGateway && starts < 6 {
		starts = e.starts("blog")
		r = e.get("blog", "/")
	}
	after, err := strconv.Atoi(r.header.Get("Retry-After"))
	if r.status != http.StatusServiceUnavailable || err != nil || after < 1 || after > 30 || e.starts("blog") != starts {
		e.Errorf("within the backoff: %v, Retry-After %q, %d starts; want 503, 1 to 30 s, and no start", r, r.header.Get("Retry-After"), e.starts("blog"))
	}
	e.leaksNothing(r)
	if i := e.inspect("blog"); i.State != "failed" || i.Status != "offline" {
		e.Errorf("within the backoff it is %s (%s)", i.State, i.Status)
	}
	// And then it is tried again.
	e.until("the backoff to end", func() bool { return e.get("blog", "/").status == http.StatusBadGateway })
	if n := e.starts("blog"); n != starts+1 {
		e.Errorf("%d starts after the backoff; want %d", n, starts+1)
	}
}

// leaksNothing wants an answer of the engine's own that tells a client nothing of what is inside.
func (e *engine) leaksNothing(r reply) {
	e.Helper()
	for _, inside := range []string{lastWords, secret, e.dir, self(), "e2e.test", "exit status", "pid", "127.0.0.1"} {
		if strings.Contains(r.body, inside) || strings.Contains(fmt.Sprint(r.header), inside) {
			e.Errorf("an answer to a client has %q: %v %v", inside, r, r.header)
		}
	}
	if kind := r.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		e.Errorf("content type of the answer %q; want text/plain", kind)
	}
}

// none wants that no process of a service is left.
func (w *world) none(service string) {
	w.Helper()
	w.until("the processes of "+service+" to be gone", func() bool { return len(w.processes(service)) == 0 })
}

// processes lists those of a service, the ones it forked included.
func (w *world) processes(service string) []process {
	var found []process
	for _, p := range marked(w.mark) {
		if strings.Contains(p.command+" ", "-name="+service+" ") || strings.Contains(p.command, "-name="+service+"-") {
			found = append(found, p)
		}
	}
	return found
}

func TestRequestWhileStoppingIsServedByTheNextRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("exits")
	e := w.start(`
services:
  blog:
    run: {{svc "blog" "-stop-gate=exits"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 200ms
    stopTimeout: 1m
`)
	first := e.ask("blog", "/first")
	e.await("blog", "term", 1)
	if i := e.inspect("blog"); i.State != "stopping" || i.Status != "stopping" {
		t.Errorf("told to stop it is %s (%s)", i.State, i.Status)
	}
	var pending []<-chan result
	for range 5 {
		pending = append(pending, e.later("GET", "blog", "/second", nil))
	}
	e.parked("blog", 5)
	if n := e.starts("blog"); n != 1 || !alive(first.Pid) {
		t.Fatalf("%d starts while the first run still exits", n)
	}
	e.open("exits")
	for _, p := range pending {
		if got := e.seen(e.outcome(p)); got.Pid == first.Pid || got.Run == first.Run {
			t.Errorf("served by pid %d of run %s, which was stopping", got.Pid, got.Run)
		}
	}
	if n := e.starts("blog"); n != 2 {
		t.Errorf("%d starts; want 2", n)
	}
	e.open("exits") // for the second run
}

func TestPOSTSentWhileColdArrivesWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listens")
	e := w.start(`
services:
  api:
    run: {{svc "api" "-start-gate=listens"}}
    base: http://127.0.0.1:{{port "api"}}
    idleTimeout: 1h
`)
	before := peakMemory(t, e.cmd.Process.Pid)
	body, sum := patternOf(32 << 20)
	pending := e.later("POST", "api", "/import", bytes.NewReader(body))
	e.parked("api", 1)
	e.open("listens")
	if got := e.seen(e.outcome(pending)); got.Length != int64(len(body)) || got.SHA256 != sum || got.Method != "POST" {
		t.Errorf("the service received a %s of %d bytes, hash %s; want %d, %s", got.Method, got.Length, got.SHA256, len(body), sum)
	}
	if grown := peakMemory(t, e.cmd.Process.Pid) - before; grown > memoryBound() {
		t.Errorf("the engine grew by %d MiB for a body of %d", grown>>20, len(body)>>20)
	}
}

// TestClientGoneWhileWaiting: the start goes on, nobody is served in the place of the one who left, and the service
// sleeps again as if it had been used.
func TestClientGoneWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listens")
	e := w.start(`
services:
  blog:
    run: {{svc "blog" "-start-gate=listens"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 300ms
`)
	conn, _ := e.dial()
	e.send(conn, "GET /gone HTTP/1.1\nHost: blog\n\n")
	e.parked("blog", 1)
	conn.Close()
	e.parked("blog", 0)
	if i := e.inspect("blog"); i.State != "starting" {
		t.Errorf("nobody waits any more, and it is %s; want the start to go on", i.State)
	}
	e.open("listens")
	e.await("blog", "listen", 1)
	e.await("blog", "term", 1)
	if i := e.reach("blog", "stopped"); *i.ActiveConnections != 0 || *i.StartCount != 1 {
		t.Errorf("asleep it is %+v", i)
	}
	if got := e.events("blog", "request"); len(got) != 0 {
		t.Errorf("the service received %+v of a client that had left", got)
	}
}
