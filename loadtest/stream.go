package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// stream is one stream of events. Its schedule belongs to whoever holds the lock of the holder.
type stream struct {
	holder *holder
	schedule
}

// mostLine is how much of a line of a stream is read: a time stands near its beginning.
const mostLine = 512

// readEvents reads server-sent events.
func (s *stream) readEvents(ctx context.Context, opened func()) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.holder.target.url.String(), nil)
	if err != nil {
		return err
	}
	request.Host = s.holder.target.host
	request.Header.Set("Accept", "text/event-stream")
	reply, err := s.holder.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", reply.StatusCode)
	}
	if kind := reply.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return errors.New("not a stream of events")
	}
	opened()
	return readLines(reply.Body, func(due time.Time, ok bool) { s.holder.event(s, due, ok) })
}

// readLines reads events until there is nothing to read, and hands on when each was due, if it says so.
func readLines(from io.Reader, whole func(due time.Time, ok bool)) error {
	var e event
	within := false // a line of which only the beginning is read
	lines := bufio.NewReaderSize(from, mostLine)
	for {
		line, err := lines.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !cut {
			return err
		}
		if !within && e.line(line, cut) {
			whole(e.due, e.timed)
			e = event{}
		}
		within = cut
	}
}

// event is a server-sent event of which some lines have come.
type event struct {
	data  bool // it has any
	timed bool // and a time
	due   time.Time
}

// line takes a line, or its beginning if it was cut, and tells whether it ends an event. Only one with data is an event.
func (e *event) line(line []byte, cut bool) bool {
	if !cut {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			whole := e.data
			if !whole {
				*e = event{}
			}
			return whole
		}
	} else {
		line = bytes.TrimRight(line, "0123456789") // a number that may go on
	}
	if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		e.data = true
		if !e.timed {
			e.due, e.timed = dueTime(string(data))
		}
	}
	return false
}

// readMessages reads the messages of a WebSocket.
func (s *stream) readMessages(ctx context.Context, opened func()) error {
	conn, reply, err := websocket.Dial(ctx, s.holder.target.url.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: s.holder.transport}, Host: s.holder.target.host,
	})
	if err != nil {
		if reply != nil {
			return fmt.Errorf("status %d", reply.StatusCode)
		}
		return err
	}
	defer conn.CloseNow()
	opened()
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		due, ok := dueTime(string(data))
		s.holder.event(s, due, ok)
	}
}

// kindOf names an error without the addresses that are in it, so that its kind can be counted.
func kindOf(err error) string {
	var operation *net.OpError
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return fmt.Sprintf("closed with code %d", closed.Code)
	case errors.As(err, &operation):
		return operation.Op + ": " + errnoText(operation.Err)
	}
	return err.Error()
}

// dueTime finds the time in an event: the first 13, 16 or 19 digits in a row, which are Unix time in ms, us or ns.
func dueTime(data string) (time.Time, bool) {
	for i := 0; i < len(data); {
		if data[i] < '0' || data[i] > '9' {
			i++
			continue
		}
		var n int64
		from := i
		for ; i < len(data) && data[i] >= '0' && data[i] <= '9' && i-from < 20; i++ {
			n = n*10 + int64(data[i]-'0')
		}
		switch i - from {
		case 13:
			return time.UnixMilli(n), true
		case 16:
			return time.UnixMicro(n), true
		case 19:
			return time.Unix(0, n), true
		}
	}
	return time.Time{}, false
}
