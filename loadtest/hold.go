package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// opening is how many streams are opened at the same time.
const opening = 64

// Streams is what became of the streams of hold.
type Streams struct {
	Asked  int `json:"asked"`
	Opened int `json:"opened"`
	Held   int `json:"held"` // to the end
}

// holder holds streams of events. Each event says when it was due, and the recorder keeps how much later it came.
// A stream is a goroutine, not a client of the generator: what it waits for is not a reply.
type holder struct {
	target    *target
	transport *http.Transport
	websocket bool

	mu       sync.Mutex
	rec      *recorder // nil: it is not measured yet
	early    map[string]int64
	streams  Streams
	progress *progress
}

// hold opens streams, and measures the lateness of what they bring.
func (r *run) hold(ctx context.Context) error {
	address, isWebSocket := strings.CutPrefix(r.url, "ws://")
	if isWebSocket {
		address = "http://" + address
	} else {
		address = r.url
	}
	t, err := newTarget(address, r.host)
	if err != nil {
		return err
	}
	h := &holder{target: t, websocket: isWebSocket, early: map[string]int64{}, progress: &r.progress}
	h.streams.Asked = r.clients
	h.transport = &http.Transport{
		DisableCompression: true, ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10, ResponseHeaderTimeout: patience,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: patience}).DialContext(ctx, network, t.where)
		},
	}
	defer h.transport.CloseIdleConnections()
	streams, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	h.openAll(ctx, streams, &running, r.clients)
	began := time.Now()
	h.measure(began, max(r.duration/seriesSteps, 50*time.Millisecond))
	r.meter.while(func() { h.watch(ctx, r.duration) })
	end := time.Now()
	rec := h.stop(end)
	cancel()
	running.Wait()
	result := resultOf(t, rec, end.Sub(began))
	result.URL = r.url
	r.report.Results = []Result{result}
	r.report.Streams = &h.streams
	return nil
}

// openAll opens the streams, and returns when each is open or has failed.
func (h *holder) openAll(ctx, streams context.Context, running *sync.WaitGroup, n int) {
	turn := make(chan struct{}, opening)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		turn <- struct{}{}
		running.Go(func() {
			var once sync.Once
			opened := func() { once.Do(func() { <-turn }) }
			defer opened()
			h.stream(streams, func() {
				h.count(func(s *Streams) { s.Opened++ })
				opened()
			})
		})
		h.progress.step("stream", i+1, int64(n))
	}
	for range opening {
		turn <- struct{}{} // each that is still opening gives its place back
	}
}

func (h *holder) count(change func(*Streams)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.streams)
}

// stream reads one stream until it ends, which before the end of the run is an error.
func (h *holder) stream(ctx context.Context, opened func()) {
	read := h.readEvents
	if h.websocket {
		read = h.readMessages
	}
	err := read(ctx, opened)
	switch {
	case ctx.Err() != nil:
		h.count(func(s *Streams) { s.Held++ })
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		h.fail("a stream that ended")
	default:
		h.fail(kindOf(err))
	}
}

// readEvents reads server-sent events.
func (h *holder) readEvents(ctx context.Context, opened func()) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.target.url.String(), nil)
	if err != nil {
		return err
	}
	request.Host = h.target.host
	request.Header.Set("Accept", "text/event-stream")
	reply, err := h.transport.RoundTrip(request)
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
	lines := bufio.NewReaderSize(reply.Body, 512)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if data, ok := strings.CutPrefix(string(line), "data:"); ok {
			h.event(data)
		}
	}
}

// readMessages reads the messages of a WebSocket.
func (h *holder) readMessages(ctx context.Context, opened func()) error {
	conn, reply, err := websocket.Dial(ctx, h.target.url.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: h.transport}, Host: h.target.host,
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
		h.event(string(data))
	}
}

// event records how late an event is.
func (h *holder) event(data string) {
	now := time.Now()
	due, ok := dueTime(data)
	if !ok {
		h.fail("an event that does not say when it was due")
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rec != nil && !due.Before(h.rec.from) {
		h.rec.good(due, now)
	}
}

// fail counts what went wrong. Before it is measured it counts all the same: a stream that was never open.
func (h *holder) fail(kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rec != nil {
		h.rec.fail(kind, time.Now(), 1)
	} else {
		h.early[kind]++
	}
}

func (h *holder) measure(now time.Time, step time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rec = newRecorder(now, step)
	for kind, n := range h.early {
		h.rec.fail(kind, now, n)
	}
}

// watch waits for the end of the run.
func (h *holder) watch(ctx context.Context, duration time.Duration) {
	end := time.NewTimer(duration)
	defer end.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case now := <-second.C:
			h.mu.Lock()
			h.progress.show(now, h.rec)
			h.mu.Unlock()
		}
	}
}

// stop gives what was recorded; from then on nothing is.
func (h *holder) stop(now time.Time) *recorder {
	h.mu.Lock()
	defer h.mu.Unlock()
	rec := h.rec
	rec.finish(now)
	h.rec = nil
	return rec
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
