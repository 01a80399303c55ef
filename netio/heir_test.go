package netio

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// heirOf is a second server on the listener of r, as another process would have it.
type heirOf struct {
	*rig
	got atomic.Int64
}

func newHeir(r *rig) *heirOf {
	r.Helper()
	fd, err := r.listener.Dup()
	if err != nil {
		r.Fatal(err)
	}
	defer sysClose(fd)
	l, err := Inherit(fd)
	if err != nil {
		r.Fatal(err)
	}
	if l.Addr() != r.listener.Addr() {
		r.Fatalf("inherited %v, want %v", l.Addr(), r.listener.Addr())
	}
	s, err := Serve(Options{Listeners: []*Listener{l}, Admission: r.gates, Splicers: 2, Timeouts: unhurried, Log: r.options.Log})
	if err != nil {
		r.Fatal(err)
	}
	h := &heirOf{rig: &rig{T: r.T, Server: s, listener: l, gates: r.gates}}
	r.Cleanup(h.end)
	return h
}

func (h *heirOf) Inherit(i Inheritance) {
	h.got.Add(1)
	go func() {
		if err := h.Adopt(i); err != nil {
			h.Error(err)
		}
	}()
}

// TestYield gives clients in each state away, and each gets its reply on the connection it has.
func TestYield(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	asleep := r.gates.add(t, "asleep", address)
	asleep.open.Store(false)
	const later = "GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n"

	idle, busy, cut, fresh, silent, waiting := r.dial(), r.dial(), r.dial(), r.dial(), r.dial(), r.dial()
	for _, c := range []*peer{idle, cut} {
		c.send(get("/"))
		b := accept()
		b.head()
		b.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		c.wantReply("GET", 200, "ok")
	}
	cut.send(later[:20])
	fresh.send(later[:20])
	waiting.send("POST / HTTP/1.1\r\nHost: asleep\r\nContent-Length: 4\r\n\r\nbo")
	asleep.take(t, 1)
	busy.send(get("/") + later[:30]) // the next request follows behind
	working := accept()
	working.head()
	// What was sent is read by the time that each has been given away, or stays in the socket: either is right.

	h := newHeir(r)
	r.Yield(h)
	if n := asleep.canceled.Load(); n != 1 {
		t.Errorf("the wait was cancelled %d times", n)
	}
	waits := asleep.take(t, 1)
	asleep.open.Store(true)
	waits[0].Grant()
	eventually(t, "all but one have passed", func() bool { return r.Counters().Connections == 1 })
	working.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
	if got := busy.head(); strings.Contains(got, "Connection: close") {
		t.Errorf("the connection is announced to end, and goes on with the heir: %q", got)
	}
	working.send("ok")
	busy.expect("ok")

	waiting.send("dy")
	b := accept()
	if got := b.head(); !strings.HasPrefix(got, "POST / ") {
		t.Errorf("the backend got %q", got)
	}
	b.expect("body")
	b.send(ok2)
	waiting.wantReply("POST", 200, "ok")
	b.Close()
	for c, rest := range map[*peer]string{idle: later, cut: later[20:], fresh: later[20:], busy: later[30:], silent: later} {
		c.send(rest)
		b := accept()
		if got := b.head(); !strings.HasPrefix(got, "GET /second ") {
			t.Errorf("the backend got %q", got)
		}
		b.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		c.wantReply("GET", 200, "ok")
	}
	if err := r.Drain(t.Context()); err != nil {
		t.Errorf("nothing was left to be drained: %v", err)
	}
	if n := h.got.Load(); n != 6 {
		t.Errorf("%d clients were inherited, want 6", n)
	}
}

// TestYieldKeepsTunnels leaves an upgraded connection where it is, until the drain is over.
func TestYieldKeepsTunnels(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	b := accept()
	b.head()
	b.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	c.head()
	h := newHeir(r)
	r.Yield(h)
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- r.Drain(ctx) }()
	c.send("to")
	b.expect("to")
	b.send("fro")
	c.expect("fro")
	cancel()
	if err := <-drained; err == nil {
		t.Error("the tunnel was not cut")
	}
	c.wantOver()
	if n := h.got.Load(); n != 0 {
		t.Errorf("%d clients were inherited", n)
	}
}

// TestYieldUnderLoad has clients of all kinds send on while one server takes the place of another, again and again. None
// of them may see anything of it.
func TestYieldUnderLoad(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	r := newRig(t, handler(t, func(w http.ResponseWriter, q *http.Request) {
		n, _ := io.Copy(io.Discard, q.Body)
		fmt.Fprintf(w, "%s %d", q.URL.Path, n)
	}))
	address, stop := r.listener.Addr().String(), make(chan struct{})
	var answered atomic.Int64
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() {
			for n := 0; !over(stop); n++ {
				served, err := visit(address, i, stop)
				answered.Add(served)
				if err != nil {
					t.Errorf("client %d, connection %d, after %d replies: %v", i, n, served, err)
					return
				}
			}
		})
	}
	for range rounds {
		h := newHeir(r)
		before := answered.Load()
		eventually(t, "the present server is used", func() bool { return answered.Load() > before+50 })
		r.Yield(h)
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		r = h.rig
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests over %d changes of the server", answered.Load(), rounds)
}

func over(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// visit sends requests over one connection and returns how many were answered: one request for the connections of some
// clients, many for others, in pieces for a third kind, with a body for a fourth.
func visit(address string, kind int, stop <-chan struct{}) (answered int64, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	body := strings.Repeat("x", 100_000)
	for n := 0; !over(stop) && n < []int{1, 100, 20, 10}[kind%4]; n++ {
		request, want := fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n), fmt.Sprintf("/%d 0", n)
		if kind%4 == 3 {
			request = fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, len(body), body)
			want = fmt.Sprintf("/%d %d", n, len(body))
		}
		pieces := []string{request}
		if kind%4 == 2 {
			pieces = []string{request[:5], request[5:20], request[20:]}
		}
		for _, piece := range pieces {
			if _, err := io.WriteString(c, piece); err != nil {
				return answered, err
			}
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return answered, err
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want {
			return answered, fmt.Errorf("got %d %q (%v), want %q", resp.StatusCode, got, err, want)
		}
		answered++
	}
	return answered, nil
}
