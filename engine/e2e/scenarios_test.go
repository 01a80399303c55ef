package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// The scenarios: what the gateway is for, each from the first byte to the last. WebSockets have a file of their own.

func TestWakeOnDemand(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1h
`)
	if i := e.inspect("blog"); i.State != "stopped" || i.Status != "offline" || e.starts("blog") != 0 {
		t.Fatalf("before the first request it is %s (%s), started %d times", i.State, i.Status, e.starts("blog"))
	}
	got := e.ask("blog.localhost", "/first?x=1")
	if got.Name != "blog" || got.Method != "GET" || got.Target != "/first?x=1" || got.Host != "blog.localhost" {
		t.Errorf("the service received %+v", got)
	}
	i := e.inspect("blog")
	if i.State != "ready" || i.Status != "online" || i.Pid != got.Pid || *i.StartCount != 1 || e.starts("blog") != 1 {
		t.Errorf("after it: %+v; want it ready with pid %d and one start", i, got.Pid)
	}
	// The log tells where the time of a start went.
	woken := e.logged(`"msg":"woke"`, `"service":"blog"`)
	for _, step := range []string{"launched", "listening", "firstByte"} {
		if _, told := woken[step]; !told {
			t.Errorf("the line about the wake does not tell %q: %v", step, woken)
		}
	}
	e.logged(`"msg":"ready"`, `"service":"blog"`)
}

func TestWarmHitWithoutAStart(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1h
`)
	first := e.ask("blog", "/")
	for n := 2; n <= 20; n++ {
		if got := e.ask("blog", "/"); got.Pid != first.Pid || got.Requests != n {
			t.Fatalf("request %d was request %d of pid %d; the first woke pid %d", n, got.Requests, got.Pid, first.Pid)
		}
	}
	if n := e.starts("blog"); n != 1 {
		t.Errorf("started %d times", n)
	}
}

func TestIdleStop(t *testing.T) {
	t.Parallel()
	const idle = 300 * time.Millisecond
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 300ms
`)
	first := e.ask("blog", "/")
	e.await("blog", "term", 1)
	e.sleptInTime("blog", idle)
	if i := e.reach("blog", "stopped"); i.Status != "offline" || i.Pid != 0 {
		t.Errorf("asleep it is %+v", i)
	}
	if alive(first.Pid) {
		t.Errorf("pid %d still runs", first.Pid)
	}
	second := e.ask("blog", "/")
	if second.Pid == first.Pid || second.Run == first.Run || e.starts("blog") != 2 {
		t.Errorf("woken again it is pid %d of run %s after pid %d of run %s, with %d starts", second.Pid, second.Run, first.Pid, first.Run, e.starts("blog"))
	}
}

func TestUnknownHost404(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 1h
`)
	conn, in := e.dial()
	for _, host := range []string{"other.localhost", "blog.example.com", "blo", "xblog", "127.0.0.1"} {
		e.send(conn, "GET / HTTP/1.1\nHost: "+host+"\n\n")
		r := e.receive(in, "GET")
		if r.status != http.StatusNotFound || r.body == "" || strings.Contains(r.body, "blog") {
			t.Errorf("host %q: %v; want 404 with a text that tells no names", host, r)
		}
	}
	if n := e.starts("blog"); n != 0 {
		t.Errorf("the service was started %d times", n)
	}
	// The connection is as good as before.
	e.send(conn, "GET /after HTTP/1.1\nHost: blog\n\n")
	if got := e.seen(e.receive(in, "GET")); got.Target != "/after" {
		t.Errorf("the service received %+v", got)
	}
}

func TestSeveralServicesAtOnce(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  red:   {run: {{svc "red"}},   base: "http://127.0.0.1:{{port "red"}}",   idleTimeout: 300ms}
  green: {run: {{svc "green"}}, base: "http://127.0.0.1:{{port "green"}}", idleTimeout: 300ms}
  blue:  {run: {{svc "blue"}},  base: "http://127.0.0.1:{{port "blue"}}",  idleTimeout: 1h}
  black: {run: {{svc "black"}}, base: "http://127.0.0.1:{{port "black"}}", idleTimeout: 1h}
`)
	names := []string{"red", "green", "blue", "black"}
	var pending sync.WaitGroup
	for n := range 40 {
		name := names[n%len(names)]
		pending.Go(func() {
			target := fmt.Sprintf("/%s/%d", name, n)
			r, err := e.try("GET", name+".localhost", target, nil)
			if err != nil || r.status != 200 || !strings.Contains(r.body, `"Target":"`+target+`"`) || !strings.Contains(r.body, `"Name":"`+name+`"`) {
				t.Errorf("%s: %v (%v)", target, r, err)
			}
		})
	}
	pending.Wait()
	e.reach("red", "stopped")
	e.reach("green", "stopped")
	for _, name := range names[2:] {
		if i := e.inspect(name); i.State != "ready" || e.starts(name) != 1 {
			t.Errorf("%s is %s after %d starts; want it untouched by its neighbours' sleep", name, i.State, e.starts(name))
		}
	}
}

func TestTCPAndHTTPHealthChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("tcp-listens")
	e := w.start(`
services:
  plain:
    run: {{svc "plain" "-start-gate=tcp-listens"}}
    base: http://127.0.0.1:{{port "plain"}}
    healthCheck: {type: tcp}
    idleTimeout: 1h
  careful:
    run: {{svc "careful" "-sick=3"}}
    base: http://127.0.0.1:{{port "careful"}}
    healthCheck: {type: http, url: "http://127.0.0.1:{{port "careful"}}/_/health", expectedStatus: 200, timeout: 5s}
    idleTimeout: 1h
`)
	waits := e.later("GET", "plain", "/", nil)
	e.parked("plain", 1)
	if i := e.inspect("plain"); i.State != "starting" || i.Status != "starting" {
		t.Errorf("before it listens it is %s (%s)", i.State, i.Status)
	}
	e.open("tcp-listens")
	e.seen(e.outcome(waits))
	if got := e.ask("careful", "/"); got.Checks != 4 {
		t.Errorf("the request was let through after %d health checks; want it held until the 4th, the first with 200", got.Checks)
	}
}

func TestPathsReachTheBackendUnchanged(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  raw:
    run: {{svc "raw" "-raw"}}
    base: http://127.0.0.1:{{port "raw"}}
    idleTimeout: 1h
`)
	conn, in := e.dial()
	for _, target := range []string{
		"/", "/?", "/a?", "//x/../%2e", "/a//b/./c/../d", "/%2F%2f%00%zz", "/a?b?c=/../", "/a;v=1/b;", "/.", "/..",
		"/a+b%20c?d+e%20f&&=", "/?q=a=b&q=a=c", "//", "/~me/!$&'()*,:@", "/" + strings.Repeat("x/", 2000) + "?",
	} {
		e.send(conn, "GET "+target+" HTTP/1.1\nHost: raw\n\n")
		r := e.receive(in, "GET")
		if line, _, _ := strings.Cut(r.body, "\r\n"); r.status != 200 || line != "GET "+target+" HTTP/1.1" {
			t.Errorf("target %.60q reached the backend as %.80q (status %d)", target, line, r.status)
		}
	}
}

func TestStreamOfRequestsKeepsTheServiceUp(t *testing.T) {
	t.Parallel()
	const idle = 500 * time.Millisecond
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 500ms
`)
	for began := time.Now(); time.Since(began) < 3*idle; {
		if r := e.get("blog", atSlow+"?ms=100"); r.status != 200 {
			t.Fatalf("got %v", r)
		}
	}
	// One request that takes longer than the idle timeout: the clock counts from its end.
	if r := e.get("blog", atSlow+"?ms=700"); r.status != 200 {
		t.Errorf("the long request got %v", r)
	}
	e.await("blog", "term", 1)
	e.sleptInTime("blog", idle)
}

func TestPOSTBodies(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  api:
    run: {{svc "api"}}
    base: http://127.0.0.1:{{port "api"}}
    idleTimeout: 1h
`)
	// The first one finds the service asleep.
	for _, size := range []int64{3 << 20, 0, 1, 1000, 16 << 10, 100_000} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for _, chunked := range []bool{false, true} {
				body, sum := patternOf(size)
				var sent io.Reader = bytes.NewReader(body)
				if chunked {
					sent = io.MultiReader(sent) // hides its length
				}
				r, err := e.try(method, "api", "/form", sent)
				if err != nil {
					t.Fatal(err)
				}
				got := e.seen(r)
				if got.Method != method || got.Length != size || got.SHA256 != sum {
					t.Errorf("%s of %d bytes (chunked %v): the service received %s of %d bytes", method, size, chunked, got.Method, got.Length)
				}
			}
		}
	}
	if n := e.starts("api"); n != 1 {
		t.Errorf("started %d times", n)
	}
}

func TestSSEAsItIsProduced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("event")
	e := w.start(`
services:
  feed:
    run: {{svc "feed"}}
    base: http://127.0.0.1:{{port "feed"}}
    idleTimeout: 1h
`)
	response, err := e.client.Get("http://feed" + atSSE + "?n=5&gate=event")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("status %d, content type %q", response.StatusCode, got)
	}
	// Each event is made only when the one before has arrived: one that is held back anywhere would never come.
	lines := bufio.NewReader(response.Body)
	for n := range 5 {
		e.open("event")
		for _, want := range []string{fmt.Sprintf("id: %d\n", n), fmt.Sprintf("data: event %d\n", n), "\n"} {
			if got, err := lines.ReadString('\n'); got != want {
				t.Fatalf("line %q (%v); want %q", got, err, want)
			}
		}
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("after the last event came %q (%v)", rest, err)
	}
}
