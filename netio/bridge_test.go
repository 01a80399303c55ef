package netio

import (
	"context"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A response that lasts until the connection ends is whole if the end was said by TLS. Anybody on the way can end a
// connection of TCP.
func TestTLSTruncation(t *testing.T) {
	a := newAuthority(t)
	for name, tc := range map[string]struct {
		end   func(p *securePeer)
		whole bool
	}{
		"close_notify":    {func(p *securePeer) { p.secure.Close() }, true},
		"no close_notify": {func(p *securePeer) { p.Close() }, false},
		"half-closed":     {func(p *securePeer) { p.TCPConn.CloseWrite() }, false},
		"reset":           {func(p *securePeer) { p.SetLinger(0); p.Close() }, false},
	} {
		t.Run("until close, "+name, func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(get("/"))
			p := accept()
			p.head()
			p.send("HTTP/1.1 200 OK\r\n\r\nall of")
			c.head()
			c.expect("all of")
			tc.end(p)
			if tc.whole {
				c.wantEnd()
			} else {
				c.wantBreak()
			}
		})
		t.Run("tunnel, "+name, func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(upgrade)
			p := accept()
			p.head()
			p.send(upgraded + "all of")
			c.expect(upgraded + "all of")
			tc.end(p)
			if tc.whole {
				c.wantEnd()
			} else {
				c.wantBreak()
			}
		})
	}
	// Where the length is known, as of most responses, that end says nothing.
	address, accept := secureScripted(t, a.good())
	r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
	c := r.dial()
	c.send(get("/"))
	p := accept()
	p.head()
	p.send(ok2)
	p.Close()
	c.wantReply("GET", 200, "ok")
}

// TestTLSTunnelHalfClose: each side may end while the other still speaks.
func TestTLSTunnelHalfClose(t *testing.T) {
	a := newAuthority(t)
	for name, clientFirst := range map[string]bool{"client ends first": true, "backend ends first": false} {
		t.Run(name, func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(upgrade)
			p := accept()
			p.head()
			p.send(upgraded)
			c.expect(upgraded)
			fromClient := func() {
				c.send("words of the client")
				c.CloseWrite()
				p.expect("words of the client")
				p.wantEnd()
			}
			fromBackend := func() {
				p.send("words of the backend")
				p.secure.CloseWrite()
				c.expect("words of the backend")
				c.wantEnd()
			}
			if clientFirst {
				fromClient()
				fromBackend()
			} else {
				fromBackend()
				fromClient()
			}
			eventually(t, "all is closed", func() bool { return r.sockets.Load() == 0 })
		})
	}
}

// TestTLSBackPressure: whoever does not read stops whoever writes, with no more than a few buffers between them.
func TestTLSBackPressure(t *testing.T) {
	const most = 64 << 20 // far beyond what the kernel holds in six sockets
	a := newAuthority(t)
	for name, fromClient := range map[string]bool{"upload": true, "download": false} {
		t.Run(name, func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(upgrade)
			p := accept()
			p.head()
			p.send(upgraded)
			c.expect(upgraded)
			var from io.Writer = p.secure
			var to io.Reader = c.r
			if fromClient {
				from, to = c, p.r
			}
			var taken atomic.Int64
			go io.CopyN(&counted{from, &taken}, zeros{}, most)
			sent, since := int64(-1), time.Now()
			eventually(t, "nothing is taken any more", func() bool {
				if n := taken.Load(); n != sent {
					sent, since = n, time.Now()
				}
				return sent > bufferSize && time.Since(since) > 2*short
			})
			if sent == most {
				t.Fatal("all of it was taken, and nobody has read any")
			}
			got, _ := io.CopyN(io.Discard, to, sent)
			if got != sent {
				t.Errorf("of %d bytes %d arrived", sent, got)
			}
		})
	}
}

// counted is a writer of whose bytes somebody else knows how many were taken.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// TestBridgesEnd: whatever ends a bridge, nothing is left of it.
func TestBridgesEnd(t *testing.T) {
	a := newAuthority(t)
	upload := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
	for name, end := range map[string]func(t *testing.T, r *rig, c *peer){
		"the run is cut":    func(_ *testing.T, r *rig, c *peer) { <-r.Retire(r.service().backend.Load(), true) },
		"the client leaves": func(_ *testing.T, _ *rig, c *peer) { c.SetLinger(0); c.Close() },
		"the server closes": func(_ *testing.T, r *rig, _ *peer) { r.Close() },
		"a drain in vain": func(t *testing.T, r *rig, _ *peer) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			r.Drain(ctx)
		},
	} {
		t.Run(name+" in a handshake", func(t *testing.T) {
			address, accept := scripted(t)
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(get("/"))
			b := accept()
			end(t, r, c)
			b.wantOver()
			nothingLeft(t, r)
		})
		t.Run(name+" with a backend that does not read", func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(upload)
			accept()
			c.SetWriteDeadline(time.Now().Add(short))
			io.Copy(c, zeros{})
			end(t, r, c)
			nothingLeft(t, r)
		})
		t.Run(name+" in a reply", func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(get("/"))
			p := accept()
			p.head()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
			c.head()
			c.expect("ok")
			end(t, r, c)
			p.wantOver()
			nothingLeft(t, r)
		})
	}
}

// nothingLeft wants no socket and no goroutine of a bridge, but for those of the clients.
func nothingLeft(t *testing.T, r *rig) {
	t.Helper()
	eventually(t, "its sockets are closed", func() bool { return r.sockets.Load() <= r.clients.Load() })
	eventually(t, "its goroutines have ended", func() bool { return bridges() == 0 })
}

// bridgesAtRest waits until so many bridges wait for their backends: until then the pool does not trust them.
func bridgesAtRest(t *testing.T, n int) {
	t.Helper()
	eventually(t, "the bridge is at rest", func() bool { return goroutines("netio.(*rawConn).Read(", "pollWait(") == n })
}

// bridges counts the goroutines of bridges.
func bridges() int { return goroutines("netio.(*bridge).") }

// goroutines counts those with all of these calls on their stacks.
func goroutines(calls ...string) int {
	all := make([]byte, 1<<20)
	n := 0
	for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if !slices.ContainsFunc(calls, func(call string) bool { return !strings.Contains(stack, call) }) {
			n++
		}
	}
	return n
}

// TestTLSCaps: a bridge counts as the sockets that it is.
func TestTLSCaps(t *testing.T) {
	a := newAuthority(t)
	address, accept := secureScripted(t, a.good())
	r := newCappedRig(t, address, 5)
	r.service().change(func(b *Backend) { b.TLS = a.trusted("127.0.0.1") })
	first, second := r.dial(), r.dial()
	eventually(t, "both are accepted", func() bool { return r.Counters().Connections == 2 })
	first.send(get("/"))
	p := accept()
	p.head()
	if n := r.sockets.Load(); n != 5 {
		t.Errorf("%d sockets are counted, want 2 of clients and 3 of a bridge", n)
	}
	second.send(get("/"))
	second.wantReply("GET", 503, "503 Service Unavailable\n")
	p.send(ok2)
	first.wantReply("GET", 200, "ok")
}

// TestYieldInAHandshake: the request goes to the heir whole, and the heir makes a bridge of its own.
func TestYieldInAHandshake(t *testing.T) {
	a := newAuthority(t)
	address, accept := scripted(t)
	r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
	given := accept()
	h := newHeir(r)
	r.Yield(h)
	given.wantOver()
	p := accept().secured(a.good())
	p.head()
	p.expect("x")
	p.send(ok2)
	c.wantReply("POST", 200, "ok")
	eventually(t, "nothing is left here", func() bool { return r.sockets.Load() == 0 })
}
