package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// takeOver starts an engine in the place of e and returns when it serves.
func (e *engine) takeOver() *engine {
	e.Helper()
	next := e.launch(e.config, "-takeover")
	next.logged(`"msg":"taking over"`, fmt.Sprintf(`"pid":%d`, e.cmd.Process.Pid))
	next.logged(`"msg":"listening"`)
	e.logged(`"msg":"another engine takes over"`, fmt.Sprintf(`"pid":%d`, next.cmd.Process.Pid))
	return next
}

// left wants that the engine ends by itself.
func (e *engine) left() {
	e.Helper()
	if code := e.wait(); code != 0 {
		e.Errorf("the engine that was replaced exited with %d; want 0", code)
	}
}

// A hammer sends requests from many clients until it is stopped, over connections that are used once, a few times, or
// for ever. It repeats nothing that fails.
type hammer struct {
	*engine
	host     string
	stop     chan struct{}
	clients  sync.WaitGroup
	answered atomic.Int64
	mu       sync.Mutex
	failed   []error
}

func (e *engine) hammer(host string) *hammer {
	h := &hammer{engine: e, host: host, stop: make(chan struct{})}
	address := fmt.Sprintf("127.0.0.1:%d", e.port("front"))
	for _, requests := range []int{1, 1, 5, 1 << 30, 1 << 30} {
		h.clients.Go(func() {
			for !h.stopped() {
				if err := h.visit(address, requests); err != nil {
					h.mu.Lock()
					h.failed = append(h.failed, err)
					h.mu.Unlock()
				}
			}
		})
	}
	return h
}

func (h *hammer) stopped() bool {
	select {
	case <-h.stop:
		return true
	default:
		return false
	}
}

// visit sends so many requests over one connection.
func (h *hammer) visit(address string, requests int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * patience))
	in := bufio.NewReader(conn)
	for n := 0; n < requests && !h.stopped(); n++ {
		if _, err := fmt.Fprintf(conn, "POST /%d HTTP/1.1\r\nHost: %s\r\nContent-Length: 3\r\n\r\nabc", n, h.host); err != nil {
			return fmt.Errorf("request %d of a connection: %w", n, err)
		}
		response, err := http.ReadResponse(in, nil)
		r, err := finish(response, err)
		if err == nil && r.status != http.StatusOK {
			err = errors.New(r.String())
		}
		if err != nil {
			return fmt.Errorf("request %d of a connection: %w", n, err)
		}
		h.answered.Add(1)
	}
	return nil
}

// more waits for further answers.
func (h *hammer) more() {
	h.Helper()
	before := h.answered.Load()
	h.until("more answers", func() bool { return h.answered.Load() > before+50 })
}

// end stops the clients and wants that no request has failed.
func (h *hammer) end() {
	h.Helper()
	close(h.stop)
	h.clients.Wait()
	h.Logf("%d requests were answered, %d failed", h.answered.Load(), len(h.failed))
	for _, err := range h.failed {
		h.Error(err)
	}
}

// TestTakeover: an engine takes the place of another that is busy, and nobody notices. No connection is refused, no
// request fails, none is asked twice; what has begun ends where it began.
func TestTakeover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("finish", "may-listen")
	e := w.start(`
drainTimeout: 10m
services:
  blog:     {run: {{svc "blog"}},     base: "http://127.0.0.1:{{port "blog"}}",     idleTimeout: 1h}
  chat:     {run: {{svc "chat"}},     base: "http://127.0.0.1:{{port "chat"}}",     idleTimeout: 1h}
  used:     {run: {{svc "used"}},     base: "http://127.0.0.1:{{port "used"}}",     idleTimeout: 400ms, responseTimeout: 10m}
  naps:     {run: {{svc "naps"}},     base: "http://127.0.0.1:{{port "naps"}}",     idleTimeout: 400ms}
  starting: {run: {{svc "starting" "-start-gate=may-listen"}}, base: "http://127.0.0.1:{{port "starting"}}", idleTimeout: 1h, startTimeout: 10m}
`)
	blog := e.ask("blog", "/")
	chat := e.socket("chat")
	e.exchange(chat, websocket.MessageText, "before")
	held := e.later("POST", "used", atHold+"?gate=finish", nil)
	using := e.await("used", "request", 1)
	parked := e.later("POST", "starting", "/", nil)
	e.await("starting", "start", 1)
	body, upload := io.Pipe()
	uploaded := e.later("POST", "blog", "/upload", body)
	half, _ := patternOf(300_000)
	upload.Write(half)

	hammer := e.hammer("blog")
	hammer.more()
	next := e.takeOver()
	hammer.more()

	// The services are the next engine's.
	next.ask("naps", "/")
	if i := next.reach("blog", "ready"); i.Pid != blog.Pid || *i.StartCount != 1 {
		t.Errorf("blog is known as pid %d after %d starts; want %d after 1", i.Pid, *i.StartCount, blog.Pid)
	}
	// One that the old engine uses is not idle, for as long as it does.
	next.reach("naps", "stopped")
	if i := next.inspect("used"); i.State != "ready" || i.Pid != using.Pid {
		t.Errorf("a service with a request of the old engine is %s with pid %d; want ready with %d", i.State, i.Pid, using.Pid)
	}
	w.open("finish")
	if r := w.outcome(held); r.status != http.StatusOK {
		t.Errorf("the request in flight got %v", r)
	}
	next.reach("used", "stopped")
	// What waited for its service waits on.
	w.open("may-listen")
	if got := w.seen(w.outcome(parked)); w.starts("starting") != 1 || got.Requests != 1 {
		t.Errorf("the request that waited met run %s after %d starts, as its request %d", got.Run, w.starts("starting"), got.Requests)
	}
	// An upload and a WebSocket stay with the old engine to their ends.
	upload.Write(half)
	upload.Close()
	sum := sha256.Sum256(append(half, half...))
	if got := w.seen(w.outcome(uploaded)); got.SHA256 != hex.EncodeToString(sum[:]) || got.Length != int64(2*len(half)) {
		t.Errorf("the service received %d bytes with hash %s", got.Length, got.SHA256)
	}
	if _, got := w.exchange(chat, websocket.MessageText, "after"); got != "after" || e.ended() {
		t.Errorf("the WebSocket said %q; the old engine has ended: %v", got, e.ended())
	}
	chat.Close(websocket.StatusNormalClosure, "")
	e.left()

	third := next.takeOver()
	next.left()
	hammer.more()
	hammer.end()
	if n := w.starts("blog"); n != 1 {
		t.Errorf("blog was started %d times", n)
	}
	if i := third.inspect("blog"); i.Pid != blog.Pid {
		t.Errorf("after two takeovers blog is pid %d; it was %d", i.Pid, blog.Pid)
	}
}

// TestTakeoverCutsTunnels: what does not end is cut when the old engine's drainTimeout is over.
func TestTakeoverCutsTunnels(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
drainTimeout: 300ms
services:
  chat: {run: {{svc "chat"}}, base: "http://127.0.0.1:{{port "chat"}}", idleTimeout: 1h}
`)
	chat := e.socket("chat")
	e.exchange(chat, websocket.MessageText, "before")
	next := e.takeOver()
	if _, _, err := chat.Read(t.Context()); err == nil {
		t.Error("the WebSocket was not cut")
	}
	e.left()
	next.exchange(next.socket("chat"), websocket.MessageText, "after")
	if n := e.starts("chat"); n != 1 {
		t.Errorf("chat was started %d times", n)
	}
}

// TestTakeoverOfNothing is an ordinary start.
func TestTakeoverOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.launch(w.config(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`), "-takeover")
	e.logged(`"msg":"there is nothing to take over`)
	e.ready()
	e.ask("blog", "/")
}

// TestTakeoverThatCannotBe: an engine that cannot do with its own config leaves the one that runs as it is.
func TestTakeoverThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	blog := e.ask("blog", "/")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other := w.write("other.yaml", w.expand(fmt.Sprintf(`
listen: 127.0.0.1:{{port "front"}}
stateDir: {{dir}}/state
adminApi: {port: {{port "admin"}}}
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", port: %d}
`, taken.Addr().(*net.TCPAddr).Port)))
	if r := w.run("engine", "-takeover", "-config", other); r.code != 1 {
		t.Errorf("an engine that cannot listen: %v; want exit 1", r)
	}
	e.logged(`"msg":"no other engine took over"`, "it left before it took over")
	if got := e.ask("blog", "/"); got.Pid != blog.Pid {
		t.Errorf("blog is served by pid %d; it was %d", got.Pid, blog.Pid)
	}
	// And one that comes without being asked to take over is told so.
	if r := w.run("engine", "-config", e.config); r.code != 1 {
		t.Errorf("a second engine: %v; want exit 1", r)
	}
	if i := e.inspect("blog"); i.State != "ready" || i.Pid != blog.Pid {
		t.Errorf("blog is %+v", i)
	}
}
