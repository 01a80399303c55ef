package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socket opens a WebSocket to the helper service.
func (e *engine) socket(host string, protocols ...string) *websocket.Conn {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, "ws://"+host+atWS, &websocket.DialOptions{HTTPClient: e.client, Subprotocols: protocols})
	if err != nil {
		e.Fatalf("no WebSocket: %v (%v)", err, response)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		e.Errorf("status %d", response.StatusCode)
	}
	e.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(4 << 20)
	return conn
}

// exchange sends a message and gives the answer to it.
func (w *world) exchange(conn *websocket.Conn, kind websocket.MessageType, message string) (websocket.MessageType, string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if err := conn.Write(ctx, kind, []byte(message)); err != nil {
		w.Fatal(err)
	}
	got, answer, err := conn.Read(ctx)
	if err != nil {
		w.Fatal(err)
	}
	return got, string(answer)
}

const socketService = `
services:
  chat:
    run: {{svc "chat"}}
    base: http://127.0.0.1:{{port "chat"}}
    idleTimeout: 400ms
`

func TestWebSocketBothWays(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(socketService)
	conn := e.socket("chat.localhost", "chat.v9", "chat.v1")
	if got := conn.Subprotocol(); got != "chat.v1" {
		t.Errorf("sub-protocol %q; want chat.v1, which both know", got)
	}
	body, _ := patternOf(100 << 10)
	large, _ := patternOf(3 << 20)
	for _, c := range []struct {
		kind    websocket.MessageType
		message string
	}{
		{websocket.MessageText, "hello"},
		{websocket.MessageText, ""},
		{websocket.MessageText, "grüße, 世界"},
		{websocket.MessageBinary, "\x00\xff\r\n\r\n"},
		{websocket.MessageText, strings.Repeat("0123456789", 10<<10)},
		{websocket.MessageBinary, string(body)},
		{websocket.MessageBinary, string(large)},
	} {
		if kind, got := e.exchange(conn, c.kind, c.message); kind != c.kind || got != c.message {
			t.Errorf("%v of %d bytes (%.20q) came back as %v of %d bytes", c.kind, len(c.message), c.message, kind, len(got))
		}
	}
	if err := conn.Ping(conn.CloseRead(t.Context())); err != nil {
		t.Errorf("ping: %v", err)
	}
	if err := conn.Close(4007, "client is done"); err != nil {
		t.Errorf("close: %v", err)
	}
	if closed := e.await("chat", "wsclose", 1); closed.Code != 4007 {
		t.Errorf("the service saw close code %d; want the client's 4007", closed.Code)
	}
}

func TestWebSocketClosedByTheService(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(socketService)
	conn := e.socket("chat")
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("close 4321 enough")); err != nil {
		t.Fatal(err)
	}
	_, _, err := conn.Read(t.Context())
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4321 || closed.Reason != "enough" {
		t.Errorf("the client saw %v; want the service's close 4321 enough", err)
	}
	// An ordinary request is answered as such where an upgrade could have been.
	if r := e.get("chat", atWS); r.status != http.StatusUpgradeRequired {
		t.Errorf("without Upgrade the service's answer is %v; want its 426", r)
	}
}

// TestLongConnectionNeedNotKeepTheServiceUp: a dashboard's open tab, where the config says so, is cut with the idle stop.
func TestLongConnectionNeedNotKeepTheServiceUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("never")
	e := w.start(`
services:
  chat:
    run: {{svc "chat"}}
    base: http://127.0.0.1:{{port "chat"}}
    idleTimeout: 400ms
    keepAwake: {websocket: false, sse: false}
  slow:
    run: {{svc "slow"}}
    base: http://127.0.0.1:{{port "slow"}}
    idleTimeout: 400ms
    keepAwake: {websocket: false}
`)
	conn := e.socket("chat")
	if _, _, err := conn.Read(t.Context()); err == nil {
		t.Error("the WebSocket said something")
	}
	e.reach("chat", "stopped")
	response, err := e.client.Get("http://chat" + atSSE + "?n=5&gate=never")
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the stream was not cut, but ended after %q", rest)
	}
	response.Body.Close()
	e.reach("chat", "stopped")
	if n := e.starts("chat"); n != 2 {
		t.Errorf("%d starts; want 2", n)
	}
	// What was not named holds its service up.
	if r := e.get("slow", atSSE+"?n=1&ms=1200"); !strings.Contains(r.body, "event 0") {
		t.Errorf("the stream was %v", r)
	}
}

func TestLongConnectionKeepsTheServiceUp(t *testing.T) {
	t.Parallel()
	const idle = 400 * time.Millisecond
	e := newWorld(t).start(socketService)
	// A WebSocket on which nothing is said for three times the idle timeout.
	conn := e.socket("chat")
	if _, got := e.exchange(conn, websocket.MessageText, "later 1200"); got != "later 1200" {
		t.Errorf("after the silence came %q", got)
	}
	if i := e.inspect("chat"); i.State != "ready" || *i.ActiveConnections != 1 {
		t.Errorf("with an open WebSocket it is %s with %d connections; want ready with 1", i.State, *i.ActiveConnections)
	}
	conn.Close(websocket.StatusNormalClosure, "")

	// A stream of events, silent for as long.
	if r := e.get("chat", atSSE+"?n=1&ms=1200"); !strings.Contains(r.body, "event 0") {
		t.Errorf("the stream was %v", r)
	}
	e.ask("chat", "/")
	e.reach("chat", "stopped")
	e.sleptInTime("chat", idle)
}
