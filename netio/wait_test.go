package netio

import (
	"strings"
	"testing"
	"time"
)

// coldRig is a rig whose service is not ready.
func coldRig(t *testing.T, onWait ...func(*Waiter)) *rig {
	r := newRig(t, echo(t))
	for _, f := range onWait {
		r.service().onWait = f
	}
	r.service().open.Store(false) // the loops see what was written before
	return r
}

// TestWaitAndGrant checks a request, with its body, that comes before its service.
func TestWaitAndGrant(t *testing.T) {
	r := coldRig(t)
	c := r.dial()
	body := strings.Repeat("x", 300_000) // more than any buffer of ours
	go c.send("POST /cold HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + body)
	w := r.service().take(t, 1)[0]
	eventually(t, "it waits", func() bool { return r.Counters().Waiting == 1 })
	if n := r.Counters().BytesIn; n > 2*65536 {
		t.Errorf("%d bytes of a body were read that nobody can take yet", n)
	}
	before := time.Now()
	r.service().open.Store(true)
	w.Grant()
	c.wantReply("POST", 200, "POST a /cold ["+body+"]")
	s := r.service().served.Load()
	if s == nil {
		t.Fatal("Served was not called")
	}
	if s.Accepted.IsZero() || s.Accepted.After(before) || s.Granted.Before(before) || s.Connected.Before(s.Granted) || s.FirstByte.Before(s.Connected) {
		t.Errorf("the clock is out of order: %+v", s)
	}
	c.send(get("/warm")) // the connection goes on
	r.service().served.Store(nil)
	c.reply("GET")
	if r.service().served.Load() != nil {
		t.Error("Served was called for a request that has not waited")
	}
}

// TestFieldsForThoseWhoWaited checks that the reply to a request that has waited gets the field lines that Served gives,
// once: an interim response before it has none, nor has the next reply.
func TestFieldsForThoseWhoWaited(t *testing.T) {
	const hints, reply = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
	r := newRig(t, backend(t, func(p *peer) {
		for range 2 {
			p.head()
			p.send(hints + reply + "\r\nok")
		}
	}))
	r.service().open.Store(false)
	r.service().added = "Server-Timing: start;dur=1\r\n"
	c := r.dial()
	c.send(get("/cold"))
	w := r.service().take(t, 1)[0]
	r.service().open.Store(true)
	w.Grant()
	c.expect(hints + reply + r.service().added + "\r\nok")
	c.send(get("/warm"))
	c.expect(hints + reply + "\r\nok")
}

// TestGrantedInVain checks that a request waits again when the gate has shut before it came to it.
func TestGrantedInVain(t *testing.T) {
	r := coldRig(t)
	c := r.dial()
	c.send(get("/"))
	first := r.service().take(t, 1)[0]
	first.Grant()
	second := r.service().take(t, 1)[0]
	if first == second {
		t.Error("a Waiter is used again")
	}
	first.Refuse(Answer{Status: 500}) // too late: nobody is asked any more
	r.settle()
	r.service().open.Store(true)
	second.Grant()
	c.wantReply("GET", 200, "GET a.example / []")
}

// TestGrantWithinWait checks an Admission that answers from within the call.
func TestGrantWithinWait(t *testing.T) {
	r := newRig(t, echo(t))
	g := r.service()
	g.onWait = func(w *Waiter) {
		g.open.Store(true)
		w.Grant()
	}
	g.open.Store(false)
	c := r.dial()
	c.send(get("/"))
	c.wantReply("GET", 200, "GET a.example / []")
}

// TestRefused checks the answers that Admission gives, and that the connection goes on.
func TestRefused(t *testing.T) {
	r := coldRig(t)
	c := r.dial()
	for _, a := range []struct {
		Answer
		retry, body string
	}{
		{Answer{Status: 503, RetryAfter: 1500 * time.Millisecond}, "2", "503 Service Unavailable\n"},
		{Answer{Status: 502, Body: "it did not start\n"}, "", "it did not start\n"},
	} {
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
		r.service().take(t, 1)[0].Refuse(a.Answer)
		resp := c.wantReply("POST", a.Status, a.body)
		if resp.Header.Get("Retry-After") != a.retry || resp.Close || resp.Header.Get("Date") == "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("got %v", resp.Header)
		}
	}
	if n := r.Counters(); n.Errors.Refused != 2 || n.Waiting != 0 {
		t.Errorf("got %+v", n)
	}
}

// TestRefusedUpload checks that a client that is still sending its body reads the answer.
func TestRefusedUpload(t *testing.T) {
	r := coldRig(t)
	c := r.dial()
	go func() {
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
		c.Write(make([]byte, 50_000_000))
		c.CloseWrite()
	}()
	r.service().take(t, 1)[0].Refuse(Answer{Status: 503})
	if resp := c.wantReply("POST", 503, "503 Service Unavailable\n"); !resp.Close {
		t.Errorf("got %v", resp.Header)
	}
	c.wantEnd()
}

// TestGoneWhileWaiting checks that the wait of a client that leaves is canceled, however it leaves, and that a Grant or
// Refuse that crosses it does no harm.
func TestGoneWhileWaiting(t *testing.T) {
	for name, leave := range map[string]func(*peer){
		"FIN":       func(c *peer) { c.Close() },
		"half":      func(c *peer) { c.CloseWrite() },
		"RST":       func(c *peer) { c.SetLinger(0); c.Close() },
		"mid-body":  func(c *peer) { c.send("half"); c.Close() },
		"pipelined": func(c *peer) { c.send(get("/")); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r := coldRig(t)
			c := r.dial()
			c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
			eventually(t, "it waits", func() bool { return r.Counters().Waiting == 1 })
			leave(c)
			eventually(t, "the wait is canceled", func() bool { return r.service().canceled.Load() == 1 })
			eventually(t, "it is closed", func() bool { return r.Counters().Connections == 0 })
			if n := r.Counters(); n.Waiting != 0 || n.Errors.ClientGone != 1 {
				t.Errorf("got %+v", n)
			}
		})
	}
}

// TestLateAnswers sends a Grant and a Refuse to a request that is no longer there.
func TestLateAnswers(t *testing.T) {
	var late []*Waiter
	r := coldRig(t, func(w *Waiter) { late = append(late, w) })
	c := r.dial()
	c.send(get("/"))
	eventually(t, "it waits", func() bool { return r.Counters().Waiting == 1 })
	c.Close()
	eventually(t, "it is closed", func() bool { return r.Counters().Connections == 0 })
	late[0].Grant()
	late[0].Refuse(Answer{Status: 500})
	r.settle()
	r.Close()
	late[0].Grant() // the loops are gone, too
}

// TestThousandParked has a thousand requests wait for one start; each is answered, with its own reply.
func TestThousandParked(t *testing.T) {
	const all = 1000
	r := coldRig(t)
	clients := make([]*peer, all)
	for i := range clients {
		clients[i] = r.dial()
		clients[i].send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" + string(rune('a'+i%26)) + "xy")
	}
	waiters := r.service().take(t, all)
	r.service().open.Store(true)
	for _, w := range waiters {
		w.Grant()
	}
	for i, c := range clients {
		c.wantReply("POST", 200, "POST a / ["+string(rune('a'+i%26))+"xy]")
	}
	if n := r.Counters(); n.Waiting != 0 || r.service().acquired.Load() != all {
		t.Errorf("got %+v, %d leases", n, r.service().acquired.Load())
	}
}
