package netio

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestReplyReachesClient compares the bytes that the client gets, with the backend's cut in two at every byte. The
// connection to the backend is used again, at once, unless end is set.
func TestReplyReachesClient(t *testing.T) {
	for name, c := range map[string]struct {
		request, reply, got string
		end                 bool
	}{
		"length":       {get("/"), "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nok", "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nok", false},
		"chunks":       {get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: x\r\n\r\n", false},
		"HEAD":         {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", true},
		"204":          {get("/"), "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", false},
		"304":          {get("/"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", true},
		"interim":      {get("/"), "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok2, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok2, false},
		"interim, 1.0": {"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n" + ok2, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", false},
		"no reason":    {get("/"), "HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", false},
		"old":          {get("/"), "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ok2, true},
		"until close":  {get("/"), "HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", true},
	} {
		t.Run(name, func(t *testing.T) {
			address, accept := scripted(t)
			r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
			var p, b *peer
			for i := 0; i < len(c.reply); i++ {
				if p == nil || c.end && strings.Contains(c.got, "close") {
					p = r.dial()
				}
				p.send(c.request)
				if b == nil || c.end {
					b = accept()
				}
				b.head()
				if i > 0 {
					b.send(c.reply[:i])
					r.settle()
				}
				b.send(c.reply[i:])
				if c.end {
					b.Close()
				}
				p.expect(c.got)
			}
		})
	}
}

// settle waits until the loops have handled what the kernel has told them.
func (r *rig) settle() {
	r.Helper()
	b, err := NewBackend("127.0.0.1:1", "", 0)
	if err != nil {
		r.Fatal(err)
	}
	<-r.Retire(b, false)
}

// TestBrokenReplies checks what the client sees of a backend that breaks off or says what it must not.
func TestBrokenReplies(t *testing.T) {
	bad := "502 Bad Gateway\n"
	for name, c := range map[string]struct {
		reply string
		head  string // of a reply that breaks later; "" for an answer of ours
	}{
		"nothing":         {"", ""},
		"half a head":     {"HTTP/1.1 200 OK\r\nContent-", ""},
		"no HTTP":         {"SSH-2.0-OpenSSH\r\n", ""},
		"both framings":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
		"large head":      {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n", ""},
		"101 unasked":     {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", ""},
		"half a body":     {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		"half a chunk":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"no last chunk":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"interim, no end": {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20", "HTTP/1.1 103 Early Hints\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, backend(t, func(p *peer) {
				p.head()
				io.WriteString(p, c.reply)
				p.CloseWrite()
				io.Copy(io.Discard, p)
			}))
			p := r.dial()
			p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
			if c.head != "" {
				p.expect(c.head)
			}
			if c.head == "" || strings.Contains(c.head, "103") {
				p.wantReply("POST", 502, bad)
				p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") // the client's connection is as good as before
				if head := p.head(); !strings.HasPrefix(head, "HTTP/1.1") {
					t.Errorf("got %q", head)
				}
			} else {
				p.wantBreak()
			}
			if n := r.Counters().Errors.Backend; n == 0 {
				t.Error("it was not counted")
			}
		})
	}
}

// TestInterimFlood checks that a backend cannot answer with 1xx for ever.
func TestInterimFlood(t *testing.T) {
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		for {
			if _, err := io.WriteString(p, "HTTP/1.1 102 Processing\r\n\r\n"); err != nil {
				return
			}
		}
	}))
	c := r.dial()
	c.send(get("/"))
	for range maxInterims + 1 {
		if strings.HasPrefix(c.head(), "HTTP/1.1 502") {
			return
		}
	}
	t.Error("it goes on")
}

// TestExcess checks that a backend connection with bytes behind its reply is not used again.
func TestExcess(t *testing.T) {
	const other = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
	for name, late := range map[string]bool{"at once": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, backend(t, func(p *peer) {
				p.head()
				if late {
					p.send(ok2)
					io.WriteString(p, other)
				} else {
					p.send(ok2 + other)
				}
				io.Copy(io.Discard, p)
			}), func(o *Options) { o.Splicers = 1 })
			c := r.dial()
			for i := range 20 {
				c.send(get("/"))
				c.wantReply("GET", 200, "ok")
				eventually(t, "the connection to the backend is closed", func() bool { return r.sockets.Load() == 1 })
				if n := r.Counters().BackendConnects; n != int64(i+1) {
					t.Errorf("%d connections after %d requests", n, i+1)
				}
			}
		})
	}
}

// TestEarlyReply checks a reply before the end of its request, for a client that goes on sending: it gets all of the
// reply, and a clean end.
func TestEarlyReply(t *testing.T) {
	for name, closes := range map[string]bool{"backend stays": false, "backend closes": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, backend(t, func(p *peer) {
				p.head()
				p.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
				if closes {
					p.CloseWrite()
				}
				io.Copy(io.Discard, p)
			}))
			c := r.dial()
			c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
			resp := c.wantReply("POST", 413, "big")
			if !resp.Close {
				t.Errorf("the client is not told that the connection closes: %v", resp.Header)
			}
			for range 10 {
				c.send(strings.Repeat("x", 100_000)) // nobody resets it
			}
			c.CloseWrite()
			c.wantEnd()
		})
	}
}

// TestStreamedBothWays checks a reply that goes on while its request does.
func TestStreamedBothWays(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	b := accept()
	b.head()
	b.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	c.head()
	for range 5 {
		c.send("4\r\nping\r\n")
		b.expect("4\r\nping\r\n")
		b.send("4\r\npong\r\n")
		c.expect("4\r\npong\r\n")
	}
	c.send("0\r\n\r\n")
	b.expect("0\r\n\r\n")
	b.send("0\r\n\r\n")
	c.expect("0\r\n\r\n")
	c.wantEnd()
}

// TestExpectContinue checks a client that waits for 100, with a backend that says so and with one that refuses.
func TestExpectContinue(t *testing.T) {
	const head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	c.send(head)
	b := accept()
	b.head()
	b.send("HTTP/1.1 100 Continue\r\n\r\n")
	c.expect("HTTP/1.1 100 Continue\r\n\r\n")
	c.send("hello")
	b.expect("hello")
	b.send(ok2)
	c.wantReply("PUT", 200, "ok")

	c.send(head)
	b.head() // on the same connection
	b.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
	if resp := c.wantReply("PUT", 417, ""); !resp.Close {
		t.Errorf("got %v", resp.Header)
	}
	c.CloseWrite()
	c.wantEnd()
}

// TestEventStream checks that each event of a stream arrives before the next is sent, and that the stream holds its
// lease until the client leaves.
func TestEventStream(t *testing.T) {
	next, left := make(chan string), make(chan struct{})
	r := newRig(t, handler(t, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for {
			select {
			case event := <-next:
				io.WriteString(w, event)
				w.(http.Flusher).Flush()
			case <-q.Context().Done():
				close(left)
				return
			}
		}
	}))
	c := r.dial()
	c.send(get("/"))
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"data: 1\n\n", "data: 2\n\n", strings.Repeat("data: x\n", 10_000) + "\n"} {
		next <- event
		got := make([]byte, len(event))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != event {
			t.Fatalf("got %.100q, %v", got, err)
		}
	}
	if n := r.service().out.Load(); n != 1 {
		t.Errorf("%d leases are held, want 1", n)
	}
	c.Close()
	<-left
	eventually(t, "the lease is released", func() bool { return r.service().out.Load() == 0 })
	if n := r.Counters().Errors.ClientGone; n != 1 {
		t.Errorf("%d clients are counted as gone, want 1", n)
	}
}
