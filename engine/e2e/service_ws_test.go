package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// serveWebSocket echoes messages as they came, text or binary. Two texts are orders: "close CODE REASON" closes with
// them, "later MS" is answered after that time. How the client closed is recorded.
func (s *service) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	// Any origin is welcome: the tests' clients are no web pages.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat.v2", "chat.v1"}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(4 << 20)
	ctx := context.Background() // the request's ends with the hijack
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			var closed websocket.CloseError
			errors.As(err, &closed)
			s.record(event{What: "wsclose", Code: int(closed.Code)})
			return
		}
		var code, ms int
		var reason string
		if n, _ := fmt.Sscanf(string(message), "close %d %s", &code, &reason); n == 2 {
			conn.Close(websocket.StatusCode(code), reason)
			return
		}
		if n, _ := fmt.Sscanf(string(message), "later %d", &ms); n == 1 {
			<-time.After(time.Duration(ms) * time.Millisecond)
		}
		if conn.Write(ctx, kind, message) != nil {
			return
		}
	}
}
