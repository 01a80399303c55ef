package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// proxied is one service that answers everything.
const proxied = `
services:
  web: {run: {{svc "web"}}, base: "http://127.0.0.1:{{port "web"}}", idleTimeout: 1h}
  two: {run: {{svc "two"}}, base: "http://127.0.0.1:{{port "two"}}", idleTimeout: 1h}
`

func TestKeepAliveOnBothSides(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(proxied)
	conn, in := e.dial()
	var remotes []string
	for range 3 {
		e.send(conn, "GET / HTTP/1.1\nHost: web\n\n")
		remotes = append(remotes, e.seen(e.receive(in, "GET")).Remote)
	}
	if remotes[0] != remotes[1] || remotes[1] != remotes[2] {
		t.Errorf("one client connection became the backend connections %v; want one", remotes)
	}
	// Each request goes where its own Host says.
	e.send(conn, "GET / HTTP/1.1\nHost: two\n\n")
	if got := e.seen(e.receive(in, "GET")); got.Name != "two" {
		t.Errorf("served by %s", got.Name)
	}
	// Several at once are answered in their order.
	e.send(conn, "GET /1 HTTP/1.1\nHost: web\n\nGET "+atSlow+"?ms=50 HTTP/1.1\nHost: two\n\nPOST /3 HTTP/1.1\nHost: web\nContent-Length: 3\n\nabcGET /4 HTTP/1.1\nHost: two\n\n")
	if got := e.seen(e.receive(in, "GET")); got.Target != "/1" {
		t.Errorf("first answer: %+v", got)
	}
	if r := e.receive(in, "GET"); r.status != 200 || r.body != "" {
		t.Errorf("second answer: %v", r)
	}
	if got := e.seen(e.receive(in, "POST")); got.Target != "/3" || got.Length != 3 {
		t.Errorf("third answer: %+v", got)
	}
	if got := e.seen(e.receive(in, "GET")); got.Target != "/4" || got.Name != "two" {
		t.Errorf("fourth answer: %+v", got)
	}
	e.send(conn, "GET / HTTP/1.1\nHost: web\nConnection: close\n\n")
	e.seen(e.receive(in, "GET"))
	if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
		t.Errorf("after Connection: close came %q (%v); want the end", rest, err)
	}
}

func TestHTTPAsItIs(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(proxied)
	conn, in := e.dial()

	e.send(conn, "HEAD "+atLoad+"?bytes=1000 HTTP/1.1\nHost: web\n\n")
	if r := e.receive(in, "HEAD"); r.status != 200 || r.header.Get("Content-Length") != "1000" || r.body != "" {
		t.Errorf("HEAD: %v, Content-Length %q", r, r.header.Get("Content-Length"))
	}
	for _, code := range []int{204, 304, 201, 404, 500, 503} {
		e.send(conn, fmt.Sprintf("GET %s?code=%d HTTP/1.1\nHost: web\n\n", atStatus, code))
		if r := e.receive(in, "GET"); r.status != code || r.body != "" {
			t.Errorf("status %d came as %v", code, r)
		}
	}
	e.send(conn, "GET "+atHints+" HTTP/1.1\nHost: web\n\n")
	if r := e.receive(in, "GET"); r.status != http.StatusEarlyHints || r.header.Get("Link") == "" {
		t.Errorf("early hints: %v %v", r, r.header)
	}
	if r := e.receive(in, "GET"); r.status != 200 || r.body != "after the hints" {
		t.Errorf("after them: %v", r)
	}
	e.send(conn, "POST /expect HTTP/1.1\nHost: web\nExpect: 100-continue\nContent-Length: 5\n\n")
	if r := e.receive(in, "POST"); r.status != http.StatusContinue {
		t.Errorf("expecting 100: %v", r)
	}
	e.send(conn, "hello")
	if got := e.seen(e.receive(in, "POST")); got.Target != "/expect" || got.Length != 5 {
		t.Errorf("after 100 Continue: %+v", got)
	}
	e.send(conn, "OPTIONS * HTTP/1.1\nHost: web\n\n")
	if r := e.receive(in, "OPTIONS"); r.status != 200 {
		t.Errorf("OPTIONS *: %v", r)
	}
}

func TestHTTP10Clients(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(proxied)
	want, _ := patternOf(1000)
	conn, in := e.dial()
	// What it cannot know of, chunks, it is not sent.
	e.send(conn, "GET "+atLoad+"?bytes=1000&chunked=1 HTTP/1.0\nHost: web\n\n")
	all, err := io.ReadAll(in)
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	if err != nil || body != string(want) || strings.Contains(strings.ToLower(head), "transfer-encoding") || !strings.Contains(head, " 200 ") {
		t.Errorf("HTTP/1.0 got head %q and %d bytes (%v)", head, len(body), err)
	}
	// As ab does: keep-alive by its old name.
	conn, in = e.dial()
	for range 2 {
		e.send(conn, "GET / HTTP/1.0\nHost: web\nConnection: keep-alive\n\n")
		if r := e.receive(in, "GET"); r.status != 200 || !strings.EqualFold(r.header.Get("Connection"), "keep-alive") {
			t.Errorf("HTTP/1.0 with keep-alive: %v %v", r, r.header)
		}
	}
}

// TestAmbiguousRequestsAreRefused, and wake nobody.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(proxied)
	for _, c := range []struct {
		head   string
		status int
	}{
		{"POST / HTTP/1.1\nHost: web\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\n", 400},
		{"POST / HTTP/1.1\nHost: web\nContent-Length: 3\nContent-Length: 4\n\nabcd", 400},
		{"GET / HTTP/1.1\nHost: web\nHost: two\n\n", 400},
		{"GET / HTTP/1.1\n\n", 400},
		{"GET / HTTP/1.1\nHost : web\n\n", 400},
		{"GET / HTTP/1.1\nHost: web\nX: a\n b\n\n", 400},
		{"GET http://two/ HTTP/1.1\nHost: web\n\n", 400},
		{"GET / HTTP/1.1\nHost: web\nX: " + strings.Repeat("x", 20<<10) + "\n\n", 431},
	} {
		conn, in := e.dial()
		e.send(conn, c.head)
		if r := e.receive(in, "GET"); r.status != c.status {
			t.Errorf("%.80q: %v; want %d", c.head, r, c.status)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("%.80q: the connection was not closed: %v", c.head, err)
		}
		conn.Close()
	}
	if n := e.starts("web") + e.starts("two"); n != 0 {
		t.Errorf("%d starts", n)
	}
}

// TestServiceOnAUnixSocket: no port at all.
func TestServiceOnAUnixSocket(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  sock: {run: {{svc "sock" "-listen=unix:app.sock"}}, base: "unix:{{dir}}/app.sock", idleTimeout: 300ms}
`)
	for n := 1; n <= 2; n++ {
		if got := e.ask("sock", "/"); got.Name != "sock" || e.starts("sock") != n {
			t.Errorf("wake %d: %+v after %d starts", n, got, e.starts("sock"))
		}
		e.reach("sock", "stopped")
	}
}

// TestASlowAnswerTimesOut with 504, and the service, which is only slow, stays.
func TestASlowAnswerTimesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("never")
	e := w.start(`
services:
  slow: {run: {{svc "slow"}}, base: "http://127.0.0.1:{{port "slow"}}", idleTimeout: 1h, responseTimeout: 200ms}
`)
	first := e.seen(e.insist("slow", "/"))
	r := e.get("slow", atHold+"?gate=never")
	if r.status != http.StatusGatewayTimeout {
		t.Errorf("got %v; want 504", r)
	}
	e.leaksNothing(r)
	if last := e.seen(e.insist("slow", "/")); last.Pid != first.Pid {
		t.Errorf("served by pid %d, then %d", first.Pid, last.Pid)
	}
	// Once the head of an answer is there, its body may take its time.
	if r := e.insist("slow", atSSE+"?n=1&ms=500"); r.status != http.StatusOK || !strings.Contains(r.body, "event 0") {
		t.Errorf("a slow body: %v", r)
	}
}

// insist repeats a request while it is answered 504: a service that stands still is as slow as one that takes its time.
func (e *engine) insist(host, target string) (r reply) {
	e.Helper()
	e.until("an answer in time", func() bool { r = e.get(host, target); return r.status != http.StatusGatewayTimeout })
	return r
}
