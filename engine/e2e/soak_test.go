package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What must hold however often it is repeated. `go test` repeats it as often as it has time for, `make soak` with -soak
// for some minutes.

var soak = flag.Int("soak", 0, "repeat the soak tests for so many idle stops, and in proportion; 0: a few")

// repeated is how often something is done: few times in `go test`, else in the proportion in which -soak is to 1,000.
func repeated(few, perThousand int) int {
	if *soak == 0 {
		return few
	}
	return max(*soak*perThousand/1000, 1)
}

// load counts what was asked and how it went. A failure is reported by the client that met it.
type load struct {
	requests, failures, slowest atomic.Int64
}

func (l *load) took(since time.Time) {
	l.requests.Add(1)
	for d := int64(time.Since(since)); ; {
		was := l.slowest.Load()
		if d <= was || l.slowest.CompareAndSwap(was, d) {
			return
		}
	}
}

func (l *load) String() string {
	return fmt.Sprintf("%d requests, %d failures, the slowest answer after %v", l.requests.Load(), l.failures.Load(),
		time.Duration(l.slowest.Load()).Round(time.Millisecond))
}

const naps = `
services:
  clock: {run: {{svc "clock"}}, base: "http://127.0.0.1:{{port "clock"}}", idleTimeout: never}
  nap1:  {run: {{svc "nap1"}},  base: "http://127.0.0.1:{{port "nap1"}}",  idleTimeout: 20ms}
  nap2:  {run: {{svc "nap2"}},  base: "http://127.0.0.1:{{port "nap2"}}",  idleTimeout: 20ms}
  nap3:  {run: {{svc "nap3"}},  base: "http://127.0.0.1:{{port "nap3"}}",  idleTimeout: 20ms}
  nap4:  {run: {{svc "nap4"}},  base: "http://127.0.0.1:{{port "nap4"}}",  idleTimeout: 20ms}
`

// TestSoakRequestsRacingWithIdleStops: whoever comes at the very moment at which a service is put to sleep is served, by
// the run that is or by the next.
func TestSoakRequestsRacingWithIdleStops(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(naps)
	var l load
	var clients sync.WaitGroup
	var cycles atomic.Int64
	wanted := int64(repeated(50, 1000))
	began := time.Now()
	services := []string{"nap1", "nap2", "nap3", "nap4"}
	for n, service := range services {
		n, served := n, &runs{}
		for client := range 2 {
			clients.Go(func() {
				for i := 0; cycles.Load() < wanted && l.failures.Load() < 10; i++ {
					if served.add(e.nap(&l, service, i)) {
						cycles.Add(1)
					}
					// Another service keeps the time between two requests: from 14 to 30 ms.
					e.tick(&l, 14+(5*n+7*client+3*i)%17)
				}
			})
		}
	}
	clients.Wait()
	starts := 0
	for _, service := range services {
		starts += e.starts(service)
		for n, term := range e.events(service, "term") {
			if term.Active != 0 {
				t.Errorf("stop %d of %s came with %d requests in flight", n+1, service, term.Active)
			}
		}
	}
	// On a busy machine a run can be over before the request that it was started for has got through: that waits again.
	t.Logf("%d cycles of stop and wake in %v: %d starts, %d of them in vain; %v", cycles.Load(),
		time.Since(began).Round(time.Second), starts, starts-int(cycles.Load())-len(services), &l)
	if cycles.Load() < wanted || l.failures.Load() > 0 {
		t.Errorf("want %d cycles and no failure", wanted)
	}
}

// nap makes one request to a service that may be falling asleep, and tells the run that answered it; "": none did. Half of
// the requests cannot be repeated if they meet a connection that is being closed.
func (e *engine) nap(l *load, service string, i int) (run string) {
	method, target := "GET", fmt.Sprintf("/%d", i)
	var body io.Reader
	if i%2 == 0 {
		method, body = "POST", strings.NewReader("not to be sent twice")
	}
	since := time.Now()
	r, err := e.try(method, service, target, body)
	l.took(since)
	var got seen
	if err == nil {
		got, err = r.seen()
	}
	if err != nil || got.Name != service || got.Target != target || got.Method != method {
		l.failures.Add(1)
		e.Errorf("%s %s%s: %v (%v)", method, service, target, r, err)
	}
	return got.Run
}

// tick takes so many milliseconds.
func (e *engine) tick(l *load, ms int) {
	since := time.Now()
	r, err := e.try("GET", "clock", fmt.Sprintf("%s?ms=%d", atSlow, ms), nil)
	l.took(since)
	if err != nil || r.status != http.StatusOK {
		l.failures.Add(1)
		e.Errorf("clock: %v (%v)", r, err)
	}
}

// runs knows which runs of a service have answered.
type runs struct {
	mu       sync.Mutex
	answered map[string]bool
}

// add tells whether a run is new and not the first.
func (r *runs) add(run string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered == nil {
		r.answered = map[string]bool{}
	}
	if run == "" || r.answered[run] {
		return false
	}
	r.answered[run] = true
	return len(r.answered) > 1
}

// TestSoakConnectionsOpenedAndReset: clients that break off at every point leave nothing behind, and somebody else's
// connection is served all the while.
func TestSoakConnectionsOpenedAndReset(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog: {run: {{svc "blog" "-raw"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: never}
`)
	var l load
	stop := e.bystander(&l, "blog")
	before := e.files()
	began, wanted := time.Now(), int64(repeated(2000, 100_000))
	var attackers sync.WaitGroup
	var opened atomic.Int64
	for range 16 {
		attackers.Go(func() {
			for n := opened.Add(1); n <= wanted; n = opened.Add(1) {
				e.openAndReset(int(n))
			}
		})
	}
	attackers.Wait()
	took := time.Since(began).Round(time.Millisecond)
	e.until("the engine to close what the clients have left", func() bool { return e.files() <= before })
	stop()
	e.until("all leases to be released", func() bool { return *e.inspect("blog").ActiveConnections == 0 })
	t.Logf("%d connections opened and reset in %v; meanwhile %v; %d descriptors before and %d after, %d MiB resident at most",
		wanted, took, &l, before, e.files(), peakMemory(t, e.cmd.Process.Pid)>>20)
}

// openAndReset opens a connection and breaks it: at once, in a head, behind a request, in a body, or after the reply.
func (e *engine) openAndReset(n int) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port("front")))
	if err != nil {
		e.Errorf("connection %d: %v", n, err)
		return
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetLinger(0)
	conn.SetDeadline(time.Now().Add(patience))
	switch n % 5 {
	case 1:
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: bl")
	case 2:
		fmt.Fprint(conn, "GET /gone HTTP/1.1\r\nHost: blog\r\n\r\n")
	case 3:
		fmt.Fprint(conn, "POST /gone HTTP/1.1\r\nHost: blog\r\nContent-Length: 100\r\n\r\nhalf")
	case 4:
		fmt.Fprint(conn, "GET /served HTTP/1.1\r\nHost: blog\r\n\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			e.Errorf("connection %d: no reply: %v", n, err)
		}
	}
}

// bystander has a client ask the service (a -raw one) again and again on one connection until it is stopped. Each answer
// must be right.
func (e *engine) bystander(l *load, service string) (stop func()) {
	e.Helper()
	conn, in := e.dial()
	head := "GET /fine HTTP/1.1\r\nHost: " + service + "\r\n\r\n"
	ask := func() bool {
		since := time.Now()
		conn.SetDeadline(since.Add(2 * patience))
		fmt.Fprint(conn, head)
		r, err := finish(http.ReadResponse(in, &http.Request{Method: "GET"}))
		l.took(since)
		if err != nil || r.status != http.StatusOK || !strings.HasPrefix(r.body, "GET /fine HTTP/1.1\r\n") {
			l.failures.Add(1)
			e.Errorf("the bystander got %v (%v)", r, err)
			return false
		}
		return true
	}
	ask()
	leave, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for ask() {
			select {
			case <-leave:
				return
			case <-pace.C:
			}
		}
	}()
	return func() { close(leave); <-left }
}

// files counts the engine's descriptors.
func (e *engine) files() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.cmd.Process.Pid))
	return len(entries)
}
