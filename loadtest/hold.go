package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	opening   = 64 // streams that are opened at the same time
	holdSteps = 30 // points of the series: few, as events are rare, and a step without one is a gap
)

// holder holds streams of events. Each event says when it was due, and the recorder keeps how much later it came.
// A stream is a goroutine, not a client of the generator: what it waits for is not a reply.
type holder struct {
	url       string
	target    *target
	transport *http.Transport
	websocket bool
	progress  *progress

	mu       sync.Mutex
	rec      *recorder // nil: it is not measured yet, or not any more
	end      time.Time // zero: it is not there yet; what is due after it does not count
	early    map[string]int64
	ahead    int64 // events that came before they were due
	streams  Streams
	live     map[*stream]bool
	unjudged int // streams of which nobody knows what they owed at the end
}

// hold opens streams, and measures the lateness of what they bring. Those of two targets are held at the same time, so
// that what the machine does beside them meets both.
func (r *run) hold(ctx context.Context) error {
	var holders []*holder
	for n := range r.urls() {
		h, err := r.holder(n)
		if err != nil {
			return err
		}
		defer h.transport.CloseIdleConnections()
		holders = append(holders, h)
	}
	streams, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	for _, h := range holders {
		h.openAll(ctx, streams, &running, r.clients)
		if err := h.none(); err != nil {
			return err
		}
	}
	began := time.Now()
	for _, h := range holders {
		h.measure(began, max(r.duration/holdSteps, 200*time.Millisecond))
	}
	var end time.Time
	r.meter.while(func() {
		r.watch(ctx, holders)
		end = time.Now()
		for _, h := range holders {
			h.close(end)
		}
		r.collect(ctx, holders)
	})
	for _, h := range holders {
		r.report.Results = append(r.report.Results, h.result(r, ctx.Err() != nil, end.Sub(began)))
	}
	cancel()
	running.Wait()
	r.compareResults(latencyOf(true))
	return nil
}

func (r *run) holder(n int) (*holder, error) {
	h := &holder{url: r.urls()[n], early: map[string]int64{}, live: map[*stream]bool{}, progress: &r.progress}
	scheme, rest, _ := strings.Cut(h.url, "://")
	address := h.url
	if h.websocket = scheme == "ws" || scheme == "wss"; h.websocket {
		address = "http" + strings.TrimPrefix(scheme, "ws") + "://" + rest
	}
	t, err := r.targetOf(address, n)
	if err != nil {
		return nil, err
	}
	h.target, h.streams.Asked = t, r.clients
	h.transport = &http.Transport{
		DisableCompression: true, ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10, ResponseHeaderTimeout: defaultPatience,
		TLSHandshakeTimeout: defaultPatience,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: defaultPatience}).DialContext(ctx, network, t.where)
		},
	}
	if t.tls != nil {
		h.transport.TLSClientConfig = t.tls.Clone()
	}
	return h, nil
}

// openAll opens the streams, and returns when each is open or has failed.
func (h *holder) openAll(ctx, streams context.Context, running *sync.WaitGroup, n int) {
	turn := make(chan struct{}, opening)
	// Each that is opening has a place, and gives it back; so whoever has got all of them knows that none is opening.
	place := func() bool {
		select {
		case turn <- struct{}{}:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for i := 0; i < n && place(); i++ {
		running.Go(func() {
			var once sync.Once
			opened := func() { once.Do(func() { <-turn }) }
			defer opened()
			h.stream(streams, opened)
		})
		h.progress.step("stream", i+1, int64(n))
	}
	for i := 0; i < opening && place(); i++ {
	}
}

// stream reads one stream until it ends, which before the end of the run is an error.
func (h *holder) stream(ctx context.Context, opened func()) {
	s := &stream{holder: h}
	read := s.readEvents
	if h.websocket {
		read = s.readMessages
	}
	err := read(ctx, func() {
		h.mu.Lock()
		h.live[s] = true
		h.streams.Opened++
		h.mu.Unlock()
		opened()
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.live[s]
	delete(h.live, s)
	over := ctx.Err() != nil || !h.end.IsZero() && s.owes(h.end) == 0
	switch {
	case over:
		if held {
			h.streams.Held++
		}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		h.fail("a stream that ended")
	default:
		h.fail(kindOf(err))
	}
}

// event records how late an event is.
func (h *holder) event(s *stream, due time.Time, ok bool) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok {
		s.saw(due)
	}
	switch {
	case h.rec == nil: // what greets a stream that has just been opened need not have a time
	case !ok && h.end.IsZero():
		h.fail("an event that does not say when it was due, in Unix time of 13 digits (ms), 16 or 19")
	case ok && !due.Before(h.rec.from) && (h.end.IsZero() || !due.After(h.end)):
		if due.After(now) {
			h.ahead++
		}
		h.rec.good(due, now)
	}
}

// fail counts what went wrong. Before it is measured it counts all the same: a stream that was never open. The caller
// holds the lock.
func (h *holder) fail(kind string) {
	if h.rec != nil {
		h.rec.fail(kind, time.Now(), 1)
	} else if h.end.IsZero() {
		h.early[kind]++
	}
}

// none is what is wrong where no stream is open: there is nothing to hold.
func (h *holder) none() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams.Opened > 0 {
		return nil
	}
	kinds := Result{Errors: h.early}.kinds()
	if len(kinds) == 0 {
		return errNothing
	}
	return fmt.Errorf("none of the streams of %s could be opened: %s", h.url, printable(kinds[0], longestKind))
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
func (r *run) watch(ctx context.Context, holders []*holder) {
	end := time.NewTimer(r.duration)
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
			holders[0].mu.Lock()
			r.progress.show(now, holders[0].rec)
			holders[0].mu.Unlock()
		}
	}
}

// result is what was recorded; from then on nothing is.
func (h *holder) result(r *run, interrupted bool, elapsed time.Duration) Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !interrupted {
		h.rec.fail(fmt.Sprintf("an event that had not come %v after the end", r.patience), now, h.owed())
	}
	h.rec.finish(now)
	out := resultOf(h.target, h.rec, elapsed)
	out.URL, out.Streams, h.rec = h.url, &h.streams, nil
	if h.ahead > 0 {
		r.note("%d events of %s came before they were due, and count as in time: its clock is ahead of ours", h.ahead, h.url)
	}
	if h.unjudged > 0 {
		r.note("of %d streams of %s nobody can tell what was still due at the end: they brought fewer than three events, or these at no even distance", h.unjudged, h.url)
	}
	return out
}
