package netio

import (
	"io"
	"testing"
)

// TestClientLeaves has a client leave at each stage of a request, by FIN and by RST. A FIN alone says the same: before
// the end of a reply nobody waits for it any longer, as in nginx. The backend must see its connection end, never the
// request of somebody else on it.
func TestClientLeaves(t *testing.T) {
	const upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
	stages := map[string]func(c, b *peer){
		"in its body":          func(c, b *peer) { c.send(upload + "half"); b.head(); b.expect("half") },
		"before the reply":     func(c, b *peer) { c.send(get("/")); b.head() },
		"after an interim one": func(c, b *peer) { c.send(get("/")); b.head(); b.send("HTTP/1.1 103 \r\n\r\n"); c.head() },
		"in the reply":         func(c, b *peer) { c.send(get("/")); b.head(); b.send(half); c.head() },
		"in both":              func(c, b *peer) { c.send(upload + "half"); b.head(); b.send(half); c.head() },
	}
	ways := map[string]func(*peer){"FIN": func(c *peer) { c.CloseWrite() }, "RST": resets}
	for stage, reach := range stages {
		for way, leave := range ways {
			t.Run(stage+" by "+way, func(t *testing.T) {
				address, accept := scripted(t)
				r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
				c := r.dial()
				c.send(get("/")) // a kept connection, so that the test has both its ends before the stage
				b := accept()
				b.head()
				b.send(ok2)
				c.wantReply("GET", 200, "ok")
				reach(c, b)
				leave(c)
				b.wantOver()
				eventually(t, "all is given back", func() bool { n := r.Counters(); return n.Leases == 0 && n.Connections == 0 })
				if n := r.Counters(); n.Errors.ClientGone != 1 || n.BackendIdle != 0 {
					t.Errorf("got %+v", n)
				}
				if way == "FIN" {
					if rest, _ := io.ReadAll(c.r); len(rest) > len("half") {
						t.Errorf("the client was sent %q", rest)
					}
				}
			})
		}
	}
}

// TestFinWithTheRequest checks a client that sends its request and a FIN in one go, as the first bytes of its connection:
// it is gone before evio has let go of it.
func TestFinWithTheRequest(t *testing.T) {
	r := newRig(t, echo(t))
	for range 100 {
		c := r.dial()
		c.send(get("/"))
		c.CloseWrite()
		c.wantOver()
	}
	eventually(t, "all is given back", func() bool { n := r.Counters(); return n.Leases == 0 && n.Connections == 0 })
}

// TestNoRetryOfWhatIsGone checks that a request of which a part is no longer in our buffer is not sent again, though it
// may be repeated and only a pooled connection has died.
func TestNoRetryOfWhatIsGone(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	c.send(get("/"))
	b := accept()
	b.head()
	b.send(ok2)
	c.wantReply("GET", 200, "ok")
	c.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
	b.head()
	b.expect("half")
	resets(b)
	if resp := c.wantReply("PUT", 502, "502 Bad Gateway\n"); !resp.Close {
		t.Error("the connection goes on in the middle of a body")
	}
	if n := r.Counters(); n.Retries != 0 || n.BackendConnects != 1 {
		t.Errorf("got %+v", n)
	}
}

// TestSilentTunnel checks that there is no deadline for an upgraded connection on which nothing is said.
func TestSilentTunnel(t *testing.T) {
	r, c, b := openTunnel(t)
	for range 2 {
		r.outlast()
		c.send("ping")
		b.expect("ping")
		b.send("pong")
		c.expect("pong")
	}
}
