package netio

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"
)

// The program that this one replaces had faults. Each has a test here or elsewhere, so that it can never be ours:
//
//	body on GET, DELETE, OPTIONS without framing  TestSmuggling
//	backend dies in mid-body, and the end is clean TestBrokenReplies, TestHostileReplies
//	silent event stream is cut                     TestSilentEventStream
//	equal fields are merged or lost                TestEqualFieldsStay
//	HEAD is answered with Content-Length 0         TestReplyReachesClient
//	reason, trailers, 103 are lost                 TestReplyReachesClient
//	the ? of an empty query is lost                TestRequestReachesBackend
//	HTTP/1.0 is refused                            TestOldClients
//	heads over 4 KB are refused                    TestLargeHeads
//	pipelining is refused                          TestPipelined, TestEveryGrouping
//	what follows a request is judged too early     TestSmuggling, behind another request
//	a gap in an upload is cut                      TestGapInUpload
//	no back-pressure on uploads                    TestUploadIsNotHoarded
//	WebSocket: kinds, sizes, sub-protocols         TestWebSocket
//	WebSocket: early messages, close codes         TestWebSocketEarlyMessages
//	a closed keep-alive connection is a 502        TestClosedKeepAlive, TestRetry

// TestEqualFieldsStay checks that fields with the same name stay apart, in their order and places, in both directions.
func TestEqualFieldsStay(t *testing.T) {
	const (
		fields  = "Cookie: a=1\r\nX-Tag: 1\r\ncookie: b=2\r\nX-Tag: 1\r\nAccept: x\r\nX-Tag: 2\r\n"
		request = "GET /?a=b& HTTP/1.1\r\nHost: a\r\n" + fields
		reply   = "HTTP/1.1 404 Nothing Here, Sorry\r\nSet-Cookie: a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT\r\nVary: x\r\n" +
			"Set-Cookie: b=2\r\nset-cookie: a=1\r\nVary: y\r\nContent-Length: 2\r\nWWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Negotiate\r\n\r\nno"
	)
	address, accept := scripted(t)
	r := newRig(t, address)
	c := r.dial()
	c.send(request + "\r\n")
	b := accept()
	b.expect(request + xf + "\r\n")
	b.send(reply)
	c.expect(reply)
}

// TestLargeHeads sends heads near the cap in both directions, whole and split.
func TestLargeHeads(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	var b *peer
	for _, size := range []int{4 << 10, 8 << 10, maxHead - 10, maxHead} {
		request := headOfSize(size)
		reply := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + strings.Repeat("y", size-len("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: \r\n\r\n")) + "\r\n\r\nok"
		c.send(request[:size/2])
		eventually(t, "the first half was read", func() bool { return r.hasRead(c) })
		c.send(request[size/2:])
		if b == nil {
			b = accept()
		}
		b.expect(forwarded(request))
		b.send(reply[:size/2])
		r.settle()
		b.send(reply[size/2:])
		c.expect(reply)
	}
}

// outlast has the clock of a rig's one loop go forward by more than any deadline of an unhurried rig, but for one of an
// hour. A connection that is idle meanwhile bears witness: it is ended.
func (r *rig) outlast() {
	r.Helper()
	later := r.gates.add(r.T, "later", "127.0.0.1:1")
	later.open.Store(false)
	later.onWait = func(w *Waiter) {
		loop := w.splicer
		loop.start = loop.start.Add(-3 * unhurried.Head)
		loop.server.turn.Add(0) // by which the front, which reads it, too, sees that
		w.Refuse(Answer{Status: 503})
	}
	r.gates.add(r.T, "witness", echo(r))
	witness, c := r.kept("witness"), r.dial()
	c.send("GET / HTTP/1.1\r\nHost: later\r\n\r\n")
	c.wantReply("GET", 503, "503 Service Unavailable\n")
	witness.wantEnd()
}

// patient is a rig of one loop with a scripted backend, and an hour for a peer that owes something.
func patient(t *testing.T) (*rig, func() *peer) {
	address, accept := scripted(t)
	return newRig(t, address, func(o *Options) { o.Splicers, o.Timeouts.Write = 1, time.Hour }), accept
}

// TestGapInUpload checks that a client may fall silent in the middle of a body for longer than every deadline that is
// about something else, with a length and in chunks.
func TestGapInUpload(t *testing.T) {
	if defaultWrite <= 15*time.Second {
		t.Errorf("a gap of 15 s is cut: the deadline is %v", defaultWrite)
	}
	for framing, body := range map[string][2]string{"Content-Length: 8\r\n": {"half", "half"}, chunked: {"8\r\nhalf", "half\r\n0\r\n\r\n"}} {
		r, accept := patient(t)
		c := r.dial()
		c.send(post(framing, body[0]))
		b := accept()
		b.expect(posted(framing, body[0])[0])
		r.outlast()
		c.send(body[1])
		b.expect(body[1])
		b.send(ok2)
		c.wantReply("POST", 200, "ok")
	}
}

// TestSilentEventStream checks that a stream may be silent for longer than every deadline, goes on after that, and that
// its client sees a break if its backend dies: never a clean end, and never a word of ours.
func TestSilentEventStream(t *testing.T) {
	for name, c := range map[string]struct {
		head, event string
		dies        func(*peer)
	}{
		"in chunks, closed":   {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", "9\r\ndata: 1\n\n\r\n", closes},
		"in chunks, reset":    {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", "9\r\ndata: 1\n\n\r\n", resets},
		"until closed, reset": {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n", "data: 1\n\n", resets},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, accept := patient(t)
			p := r.dial()
			p.send(get("/events"))
			b := accept()
			b.head()
			b.send(c.head)
			p.expect(c.head)
			for range 2 {
				r.outlast()
				b.send(c.event)
				p.expect(c.event)
			}
			c.dies(b)
			if rest, err := io.ReadAll(p.r); err == nil || len(rest) > 0 {
				t.Errorf("instead of a break came %q, %v", rest, err)
			}
		})
	}
}

// TestUploadIsNotHoarded counts what is between a client that sends all it can and a backend that reads nothing: what we
// have taken from the one socket and not given to the other is no more than a buffer or a pipe holds.
func TestUploadIsNotHoarded(t *testing.T) {
	const bound = 1 << 20 // what the program we replace held was 81 to 464 MB
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	c.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
	b := accept()
	head := int64(len(b.head()))
	go io.CopyN(c, zeros{}, 1_000_000_000)
	var last, since = int64(-1), time.Now()
	eventually(t, "nothing moves any more", func() bool {
		if n := r.Counters().BytesIn; n != last {
			last, since = n, time.Now()
		}
		return last > 1<<20 && time.Since(since) > 2*short
	})
	given := head + r.unacknowledged(b) // first: what goes from there to the backend meanwhile is not missed
	given += int64(queued(t, b, unix.SIOCINQ) + b.r.Buffered())
	t.Logf("%d taken, %d given on", last, given)
	if hoarded := last - given; hoarded > bound {
		t.Errorf("%d bytes were taken, %d given on: %d are held, want at most %d", last, given, hoarded, bound)
	}
}

// queued asks the kernel about a queue of p's socket.
func queued(t *testing.T, p *peer, queue uint) (n int) {
	t.Helper()
	raw, err := p.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), queue) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// unacknowledged returns how many bytes the server's kernel still has for the backend b.
func (r *rig) unacknowledged(b *peer) int64 {
	r.Helper()
	for fd := range 1 << 10 {
		if sa, err := unix.Getsockname(fd); err == nil && addrPortOf(sa).String() == b.RemoteAddr().String() {
			n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
			if err != nil {
				r.Fatal(err)
			}
			return int64(n)
		}
	}
	r.Fatal("the server has no such connection")
	return 0
}

// TestWebSocketEarlyMessages speaks through us with a real library: the service sends before the client has said
// anything, the client before it has heard anything, messages may be empty, and the service closes with a code and a reason.
func TestWebSocketEarlyMessages(t *testing.T) {
	r := newRig(t, handler(t, func(w http.ResponseWriter, q *http.Request) {
		c, err := websocket.Accept(w, q, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for _, early := range []string{"welcome", "", strings.Repeat("w", 40_000)} {
			if c.Write(q.Context(), websocket.MessageText, []byte(early)) != nil {
				return
			}
		}
		kind, message, err := c.Read(q.Context())
		c.Close(4001, fmt.Sprint(kind, " ", string(message), " ", err))
	}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 20 { // what comes together, and what does not, is up to chance
		c, _, err := websocket.Dial(ctx, "ws://"+r.listener.Addr().String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"welcome", "", strings.Repeat("w", 40_000)} {
			if kind, got, err := c.Read(ctx); err != nil || kind != websocket.MessageText || string(got) != want {
				t.Fatalf("got %v %.20q, %v; want text %.20q", kind, got, err, want)
			}
		}
		_, _, err = c.Read(ctx)
		if code := websocket.CloseStatus(err); code != 4001 || !strings.Contains(err.Error(), "MessageText hello <nil>") {
			t.Errorf("closed with %v", err)
		}
	}
}

// TestClosedKeepAlive checks requests on connections that the backend closes right after each reply without having said
// so. Whether the close or the request comes first is up to chance; that the client gets its reply is not.
func TestClosedKeepAlive(t *testing.T) {
	r := newRig(t, backend(t, func(p *peer) {
		if _, err := p.r.Peek(1); err == nil {
			p.head()
			p.send(ok2)
		}
	}))
	c := r.dial()
	for range 500 {
		c.send(get("/"))
		c.wantReply("GET", 200, "ok")
	}
	n := r.Counters()
	t.Logf("%d requests, %d on a kept connection, %d tried again", n.Requests, n.BackendReuses, n.Retries)
}
