package netio

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
)

// TestExcessWithinATurn has a backend send the body of its reply to a HEAD when the next request is already on its way,
// in the same turn of the loop: nobody has told the loop of it, and still it must not be read as that request's reply.
func TestExcessWithinATurn(t *testing.T) {
	speak, spoken := make(chan struct{}), make(chan struct{})
	var asked atomic.Bool
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		if asked.Swap(true) {
			io.WriteString(p, ok2)
			return
		}
		io.WriteString(p, "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n")
		<-speak
		io.WriteString(p, evil)
		close(spoken)
		p.wantOver()
	}), func(o *Options) {
		o.Splicers = 1
		o.Admission.(*gates).routed = func(_ int, _, path string) {
			if path == "/second" {
				close(speak)
				<-spoken
			}
		}
	})
	c := r.dial()
	c.send("HEAD /first HTTP/1.1\r\nHost: a\r\n\r\n" + get("/second"))
	c.wantReply("HEAD", 200, "")
	c.wantReply("GET", 200, "ok")
}

// TestLateExcess has a backend send the body of a reply that must have none only when the next request has come: on that
// connection it would be the next request's reply.
func TestLateExcess(t *testing.T) {
	for name, c := range map[string]struct{ method, head string }{
		"HEAD":            {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"},
		"HEAD, no length": {"HEAD", "HTTP/1.1 200 OK\r\n\r\n"},
		"204":             {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\n"},
		"304":             {"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			address, accept := scripted(t)
			r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
			client := r.dial()
			client.send(c.method + " /first HTTP/1.1\r\nHost: a\r\n\r\n" + get("/second"))
			first := accept()
			first.head()
			first.send(c.head)
			second := accept()
			second.head()
			first.send(evil)
			second.send(ok2)
			client.reply(c.method)
			client.wantReply("GET", 200, "ok")
			first.wantOver()
			client.send(get("/third"))
			second.head()
			second.send(ok2)
			client.wantReply("GET", 200, "ok")
		})
	}
}

// TestQuarantineEnds checks that a connection on which nothing of the kind comes is used again.
func TestQuarantineEnds(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
	p := accept()
	p.head()
	p.send("HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n")
	c.wantReply("HEAD", 200, "")
	eventually(t, "it is pooled", func() bool { return r.Counters().BackendIdle == 1 })
	c.send(get("/"))
	p.head()
	p.send(ok2)
	c.wantReply("GET", 200, "ok")
}

// TestManyAside checks that who sends one HEAD after the other has only so many connections to the backend kept open.
func TestManyAside(t *testing.T) {
	r := newRig(t, handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
	}), func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	for range 4 * maxAside {
		c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
		c.reply("HEAD")
		if n := r.sockets.Load() - r.clients.Load(); n > maxAside+1 {
			t.Fatalf("%d connections to the backend are open", n)
		}
	}
}
