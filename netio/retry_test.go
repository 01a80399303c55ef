package netio

import (
	"strings"
	"testing"
	"time"
)

// TestRetry checks which requests are sent again when the pooled connection they were sent on turns out to be dead.
func TestRetry(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		partial string // of a reply, before the connection dies
		again   bool
	}{
		"GET":            {get("/"), "", true},
		"PUT with body":  {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "", true},
		"POST":           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "", false},
		"a reply begins": {get("/"), "HTTP/1", false},
	} {
		t.Run(name, func(t *testing.T) {
			address, accept := scripted(t)
			r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
			p := r.dial()
			p.send(get("/"))
			b := accept()
			b.head()
			b.send(ok2)
			p.wantReply("GET", 200, "ok")
			p.send(c.request)
			b.head()
			b.send(c.partial)
			b.SetLinger(0)
			b.Close()
			if !c.again {
				p.wantReply("GET", 502, "502 Bad Gateway\n")
				return
			}
			b = accept()
			b.head()
			if strings.HasSuffix(c.request, "abc") {
				b.expect("abc")
			}
			b.send(ok2)
			p.wantReply("GET", 200, "ok")
			if n := r.Counters().Retries; n != 1 {
				t.Errorf("%d retries are counted, want 1", n)
			}
		})
	}
}

// TestRetryOnce checks that a request whose second, fresh connection dies is answered.
func TestRetryOnce(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	p := r.dial()
	p.send(get("/"))
	b := accept()
	b.head()
	b.send(ok2)
	p.wantReply("GET", 200, "ok")
	p.send(get("/"))
	b.head()
	b.Close()
	b = accept()
	b.head()
	b.Close()
	p.wantReply("GET", 502, "502 Bad Gateway\n")
}

// TestDeadPooled checks a POST on a pooled connection that the backend has closed: it must not be lost, and not be sent
// twice. What happens first, the POST or the news of the close, is up to chance.
func TestDeadPooled(t *testing.T) {
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		p.expect("abc")
		p.send(ok2)
	}))
	p := r.dial()
	for range 300 {
		p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
		resp, _ := p.reply("POST")
		if resp.StatusCode != 200 && resp.StatusCode != 502 {
			t.Fatalf("got %d", resp.StatusCode)
		}
	}
}

// TestIdleBackendAges checks that a pooled connection is closed after its time.
func TestIdleBackendAges(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		p.send(ok2)
		p.wantEnd()
		close(closed)
	}))
	p := r.dial()
	p.send(get("/"))
	p.wantReply("GET", 200, "ok")
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("it is kept")
	}
}
