package netio

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// TestRequestLog checks the entries, for replies of a backend and for ours.
func TestRequestLog(t *testing.T) {
	entries := make(chan Entry, 4)
	r := newRig(t, echo(t), func(o *Options) { o.RequestLog = func(e *Entry) { entries <- *e } })
	c := r.dial()
	c.send("POST /a?b HTTP/1.1\r\nHost: A.Example:80\r\nContent-Length: 2\r\n\r\nhi")
	c.reply("POST")
	e := <-entries
	if e.Method != "POST" || e.Host != "a.example" || e.Target != "/a?b" || e.Status != 200 || e.Client.String() != "127.0.0.1" ||
		e.Duration <= 0 || e.Route != Route(r.service()) {
		t.Errorf("got %+v", e)
	}
	if e.Bytes != r.Counters().BytesOut {
		t.Errorf("%d bytes, want %d", e.Bytes, r.Counters().BytesOut)
	}
	c.send("nonsense\r\n")
	c.reply("GET")
	if e := <-entries; e.Status != 400 || e.Route != nil {
		t.Errorf("got %+v", e)
	}
	address, accept := scripted(t)
	r.gates.add(t, "slow", address)
	c = r.dial()
	c.send("GET / HTTP/1.1\r\nHost: slow\r\n\r\n")
	accept().head()
	c.Close()
	if e := <-entries; e.Status != statusClientGone {
		t.Errorf("got %+v", e)
	}
}

// TestPanicOnLoop checks that a panic costs the connection it came from and nothing else.
func TestPanicOnLoop(t *testing.T) {
	r := newRig(t, echo(t), func(o *Options) {
		o.Splicers = 1
		o.Admission.(*gates).routed = func(_ int, host, _ string) {
			if host == "panic" {
				panic("a fault of Admission")
			}
		}
	})
	good := r.dial()
	good.send(get("/"))
	good.reply("GET")
	bad := r.dial()
	bad.send("GET / HTTP/1.1\r\nHost: panic\r\n\r\n")
	bad.wantBreak()
	good.send(get("/"))
	good.wantReply("GET", 200, "GET a.example / []")
	eventually(t, "the panic is counted", func() bool { return r.Counters().Errors.Panics == 1 })
	r.splicers[0].tally.panics.Store(0) // the rig wants none
}

// TestDrain checks that requests in flight end, and connections between requests at once.
func TestDrain(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers, o.Timeouts.Head = 1, defaultHead })
	idle, busy, fresh := r.dial(), r.dial(), r.dial()
	fresh.send("GET") // its head will never be whole
	idle.send(get("/"))
	b := accept()
	b.head()
	b.send(ok2)
	idle.wantReply("GET", 200, "ok")
	busy.send(get("/"))
	b.head()
	drained := make(chan error, 1)
	go func() { drained <- r.Drain(t.Context()) }()
	idle.wantEnd()
	fresh.wantEnd()
	if _, err := net.Dial("tcp", r.listener.Addr().String()); err == nil {
		t.Error("it still accepts")
	}
	b.send(ok2)
	if resp := busy.wantReply("GET", 200, "ok"); !resp.Close {
		t.Errorf("the client is not told that the connection closes: %v", resp.Header)
	}
	busy.wantEnd()
	if err := <-drained; err != nil {
		t.Error(err)
	}
	<-r.Done()
	if r.Err() != nil {
		t.Error(r.Err())
	}
}

// TestDrainCuts checks that what does not end in time is cut, and that who still waits is told.
func TestDrainCuts(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	c, waiting := r.dial(), r.dial()
	c.send(get("/"))
	b := accept()
	b.head()
	r.service().open.Store(false)
	waiting.send(get("/"))
	r.service().take(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Drain(ctx); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	c.wantBreak()
	if resp, _ := waiting.reply("GET"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("who waited got %v, want 503 with Retry-After", resp)
	}
	b.wantOver()
	if n := r.service().canceled.Load(); n != 1 {
		t.Errorf("%d waits were canceled, want 1", n)
	}
}

// TestDrainOfLingering: nothing is under way of a client that has its answer, and goes on with its upload. It neither
// holds the end up for long, nor counts among what is cut.
func TestDrainOfLingering(t *testing.T) {
	for name, patient := range map[string]bool{"there is time": true, "there is none": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it takes as long as such a client is given
			r := newRig(t, "")
			c := r.dial()
			c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
			c.wantReply("POST", 404, noRouteAnswer.Body)
			uploaded := make(chan struct{})
			go func() {
				defer close(uploaded)
				for tick := time.Tick(10 * time.Millisecond); ; <-tick {
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if !patient {
				cancel()
			}
			if err := r.Drain(ctx); err != nil {
				t.Errorf("no request was under way, and Drain tells %v", err)
			}
			if patient && ctx.Err() != nil {
				t.Error("it was waited for to the end")
			}
			<-uploaded
		})
	}
}

// TestRetire checks that idle connections of a backend are closed, that those in use are closed after their reply, and
// that cut ends them.
func TestRetire(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	was := r.service().backend.Load()
	renew := func() {
		b, err := NewBackend(address, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		r.service().backend.Store(b)
		was = b
	}
	c := r.dial()
	c.send(get("/"))
	b := accept()
	b.head()
	b.send(ok2)
	c.wantReply("GET", 200, "ok")
	<-r.Retire(was, false)
	b.wantEnd()

	renew()
	c.send(get("/"))
	b = accept()
	b.head()
	<-r.Retire(was, false)
	b.send(ok2)
	c.wantReply("GET", 200, "ok")
	b.wantEnd()

	renew()
	c.send(get("/")) // no reply has begun: 502
	b = accept()
	b.head()
	<-r.Retire(was, true)
	c.wantReply("GET", 502, "502 Bad Gateway\n")
	b.wantOver()

	renew()
	c.send(get("/")) // a reply has begun: it breaks
	b = accept()
	b.head()
	b.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha")
	c.head()
	<-r.Retire(was, true)
	c.wantBreak()
	r.Close()
	<-r.Retire(was, true) // after the end it is no harm
}

// TestPing: a server that works answers again and again; one whose loop hangs does not, and one that has ended says so.
func TestPing(t *testing.T) {
	hang, hangs := make(chan struct{}), make(chan struct{})
	r := newRig(t, echo(t), func(o *Options) {
		o.Splicers = 1
		o.Admission.(*gates).routed = func(_ int, host, _ string) {
			if host == "hang" {
				close(hangs)
				<-hang
			}
		}
	})
	for range 3 {
		if err := r.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.dial().send("GET / HTTP/1.1\r\nHost: hang\r\n\r\n")
	<-hangs
	ctx, cancel := context.WithCancel(t.Context())
	pinged := make(chan error)
	go func() { pinged <- r.Ping(ctx) }()
	eventually(t, "the loop is asked", r.splicers[0].inbox.holdsMail)
	cancel()
	if err := <-pinged; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "loop 0 does not answer") {
		t.Errorf("a loop that hangs: %v", err)
	}
	close(hang)
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
	r.Close()
	if err := r.Ping(t.Context()); err == nil {
		t.Error("a server that was closed answers")
	}
}
