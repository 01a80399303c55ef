package netio

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

const (
	upgrade  = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
)

// openTunnel returns both ends of an upgraded connection.
func openTunnel(t *testing.T) (r *rig, c, b *peer) {
	t.Helper()
	address, accept := scripted(t)
	r = newRig(t, address, func(o *Options) { o.Splicers, o.Timeouts.Write = 1, short })
	c = r.dial()
	c.send(upgrade)
	b = accept()
	b.head()
	b.send(upgraded)
	c.expect(upgraded)
	return r, c, b
}

// TestTunnel checks that bytes go both ways, that a FIN of either side is passed on while the other still speaks, and
// that the lease is held to the end.
func TestTunnel(t *testing.T) {
	for name, clientFirst := range map[string]bool{"client ends first": true, "backend ends first": false} {
		t.Run(name, func(t *testing.T) {
			r, c, b := openTunnel(t)
			c.send("ping")
			b.expect("ping")
			b.send("pong")
			c.expect("pong")
			first, second := c, b
			if !clientFirst {
				first, second = b, c
			}
			first.send("last words")
			first.CloseWrite()
			second.expect("last words")
			second.wantEnd()
			second.send("and mine")
			first.expect("and mine")
			if n := r.service().out.Load(); n != 1 {
				t.Errorf("%d leases are held, want 1", n)
			}
			second.CloseWrite()
			first.wantEnd()
			eventually(t, "the lease is released", func() bool { return r.service().out.Load() == 0 })
			eventually(t, "the tunnel is closed", func() bool { n := r.Counters(); return n.Tunnels == 0 && n.Connections == 0 })
		})
	}
}

// TestTunnelBreaks checks that a reset of one side is seen by the other.
func TestTunnelBreaks(t *testing.T) {
	for name, byClient := range map[string]bool{"client": true, "backend": false} {
		t.Run(name, func(t *testing.T) {
			r, c, b := openTunnel(t)
			broken, other := c, b
			if !byClient {
				broken, other = b, c
			}
			broken.SetLinger(0)
			broken.Close()
			other.wantOver()
			eventually(t, "the lease is released", func() bool { return r.service().out.Load() == 0 })
		})
	}
}

// TestTunnelEarlyBytes checks bytes that come with the request, and with the 101: none is lost.
func TestTunnelEarlyBytes(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	c := r.dial()
	c.send(upgrade + "early")
	b := accept()
	b.head()
	b.send(upgraded + "first")
	c.expect(upgraded + "first")
	b.expect("early")
	c.send("more")
	b.expect("more")
}

// TestUpgradeRefused checks that what a client sends early is a request again if the backend does not upgrade.
func TestUpgradeRefused(t *testing.T) {
	r := newRig(t, echo(t))
	c := r.dial()
	c.send(upgrade + get("/next"))
	c.wantReply("GET", 200, "GET a /ws []")
	c.wantReply("GET", 200, "GET a.example /next []")
}

// TestWebSocket speaks through us with a real library: text, binary and 100 KB messages both ways, a subprotocol, a
// close code.
func TestWebSocket(t *testing.T) {
	closed := make(chan websocket.StatusCode, 1)
	speakWebSocket(t, newRig(t, handler(t, echoMessages(closed))), closed)
}

// echoMessages is a backend that sends each message back and tells the close code.
func echoMessages(closed chan<- websocket.StatusCode) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		c, err := websocket.Accept(w, q, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		for {
			kind, message, err := c.Read(q.Context())
			if err != nil {
				closed <- websocket.CloseStatus(err)
				return
			}
			if err := c.Write(q.Context(), kind, message); err != nil {
				return
			}
		}
	}
}

func speakWebSocket(t *testing.T, r *rig, closed <-chan websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+r.listener.Addr().String()+"/", &websocket.DialOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	if c.Subprotocol() != "chat" {
		t.Errorf("the subprotocol is %q", c.Subprotocol())
	}
	for _, m := range []struct {
		kind websocket.MessageType
		data []byte
	}{
		{websocket.MessageText, []byte("hello")},
		{websocket.MessageBinary, []byte{0, 1, 2, 255}},
		{websocket.MessageText, bytes.Repeat([]byte("a"), 100_000)},
		{websocket.MessageBinary, bytes.Repeat([]byte{7}, 1_000_000)},
	} {
		if err := c.Write(ctx, m.kind, m.data); err != nil {
			t.Fatal(err)
		}
		kind, data, err := c.Read(ctx)
		if err != nil || kind != m.kind || !bytes.Equal(data, m.data) {
			t.Fatalf("got %v of %d bytes, %v; want %v of %d", kind, len(data), err, m.kind, len(m.data))
		}
	}
	if n := r.Counters(); n.Tunnels != 1 || n.Leases != 1 {
		t.Errorf("got %+v", n)
	}
	c.Close(4321, "enough")
	if code := <-closed; code != 4321 {
		t.Errorf("the close code is %d", code)
	}
	eventually(t, "the lease is released", func() bool { return r.service().out.Load() == 0 })
}

// TestTunnelBackPressure fills a tunnel whose one end does not read, then reads it all.
func TestTunnelBackPressure(t *testing.T) {
	const size = 32 << 20
	_, c, b := openTunnel(t)
	written := make(chan error, 2)
	for _, p := range []*peer{c, b} {
		go func() {
			_, err := io.CopyN(p, zeros{}, size)
			p.CloseWrite()
			written <- err
		}()
	}
	for _, p := range []*peer{b, c} {
		if n, err := io.Copy(io.Discard, p.r); n != size || err != nil {
			t.Fatalf("got %d bytes, %v", n, err)
		}
	}
	for range 2 {
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
}
