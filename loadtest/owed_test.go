package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// eventsOf serves streams: each is a function that sends events by the time at which they were due.
func eventsOf(t testing.TB, stream func(ctx context.Context, n int64, send func(due time.Time) error)) string {
	t.Helper()
	var opened atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		stream(r.Context(), opened.Add(1), func(due time.Time) error {
			fmt.Fprintf(w, "data: %d\n\n", due.UnixMicro())
			return http.NewResponseController(w).Flush()
		})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// holdFor runs hold with little patience.
func holdFor(t testing.TB, o options, patience time.Duration) *Report {
	t.Helper()
	r := newRun(scenario{name: "hold"}, o, nil)
	r.patience = patience
	if err := r.hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r.report
}

// every calls send with evenly spaced times from now on, each at its time.
func every(ctx context.Context, step time.Duration, times int, send func(due time.Time) error) (next time.Time) {
	next = time.Now()
	for range times {
		select {
		case <-ctx.Done():
			return next
		case <-time.After(time.Until(next)):
		}
		if send(next) != nil {
			return next
		}
		next = next.Add(step)
	}
	return next
}

// TestEventsHeldBackAtTheEndAreLate: a server that stalls until after the end of a run, and then sends what was due.
func TestEventsHeldBackAtTheEndAreLate(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		url := eventsOf(t, func(ctx context.Context, _ int64, send func(time.Time) error) {
			next := every(ctx, 20*time.Millisecond, 15, send)
			select {
			case <-ctx.Done():
			case <-time.After(1500 * time.Millisecond): // the stall itself
			}
			for ; next.Before(time.Now()); next = next.Add(20 * time.Millisecond) {
				if send(next) != nil {
					return
				}
			}
			every(ctx, 20*time.Millisecond, 1000, send)
		})
		r := holdFor(t, options{url: url, clients: 3, duration: 700 * time.Millisecond}, time.Minute)
		got := r.Results[0]
		// 300 ms of events, then 400 ms in which 20 were due of each stream, the first of them late by all of the stall.
		if got.Streams.Outstanding < 30 || got.Failed != 0 || got.Requests < 3*25 || got.Latency.Max < 700 || got.Latency.P90 < 400 {
			t.Errorf("streams %+v, %d events, errors %v, latency %+v", got.Streams, got.Requests, got.Errors, got.Latency)
		}
	})
}

// TestEventsThatNeverComeAreErrors, if it is known that they were due: a stream must have said so before.
func TestEventsThatNeverComeAreErrors(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		url := eventsOf(t, func(ctx context.Context, n int64, send func(time.Time) error) {
			switch n {
			case 1: // it stalls for good
				every(ctx, 20*time.Millisecond, 10, send)
				<-ctx.Done()
			case 2: // nobody knows when its next event is due
				every(ctx, 20*time.Millisecond, 2, send)
				<-ctx.Done()
			case 3: // at no even distance
				next := every(ctx, 20*time.Millisecond, 3, send)
				every(ctx, time.Nanosecond, 1, func(time.Time) error { return send(next.Add(100 * time.Millisecond)) })
				<-ctx.Done()
			default:
				every(ctx, 20*time.Millisecond, 1000, send)
			}
		})
		r := holdFor(t, options{url: url, clients: 5, duration: 600 * time.Millisecond}, 300*time.Millisecond)
		got := r.Results[0]
		const kind = "an event that had not come 300ms after the end"
		// Ten events in 200 ms, and then 20 that were due.
		if got.Errors[kind] < 10 || got.Errors[kind] > 100 || got.Failed != got.Errors[kind] || got.Streams.Held != 5 {
			t.Errorf("streams %+v, errors %v", got.Streams, got.Errors)
		}
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "of 2 streams") }) {
			t.Errorf("notes %q", r.Notes)
		}
	})
}

// TestHoldComparesAtTheSameTime: both targets' streams are held together, and their lateness is compared step by step.
func TestHoldComparesAtTheSameTime(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		lateBy := func(late time.Duration) string {
			return eventsOf(t, func(ctx context.Context, _ int64, send func(time.Time) error) {
				every(ctx, 10*time.Millisecond, 1000, func(due time.Time) error { return send(due.Add(-late)) })
			})
		}
		r := holdFor(t, options{url: lateBy(200 * time.Millisecond), compare: lateBy(50 * time.Millisecond), clients: 2, duration: 2 * time.Second}, time.Minute)
		if len(r.Results) != 2 {
			t.Fatalf("%d results", len(r.Results))
		}
		for _, got := range r.Results {
			if got.Requests < 200 || got.Failed != 0 || got.Streams.Held != 2 {
				t.Errorf("%d events, errors %v, streams %+v", got.Requests, got.Errors, got.Streams)
			}
		}
		if len(r.Ratios) != 2 || r.Ratios[0].Of != "p50, -url by -compare" || r.Ratios[0].Pairs < 8 || r.Ratios[0].Ratio < 1.5 {
			t.Errorf("ratios %+v", r.Ratios)
		}
	})
}

// TestLaterThanTheRunIsLong: what was due within the run is waited for, however late all of it is.
func TestLaterThanTheRunIsLong(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		url := eventsOf(t, func(ctx context.Context, _ int64, send func(time.Time) error) {
			every(ctx, 10*time.Millisecond, 1000, func(due time.Time) error { return send(due.Add(-time.Second)) })
		})
		got := holdFor(t, options{url: url, clients: 2, duration: 500 * time.Millisecond}, time.Minute).Results[0]
		if got.Requests < 80 || got.Failed != 0 || got.Latency.Min < 990 {
			t.Errorf("%d events, errors %v, latency %+v", got.Requests, got.Errors, got.Latency)
		}
	})
}

// TestNoStreamIsOpen: there is nothing to wait for then, and the user hears why.
func TestNoStreamIsOpen(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }).url.String()
	r, err := runFlags(t, "hold -c 3 -d 1h -url "+url)
	if err == nil || !strings.Contains(err.Error(), "status 404") || len(r.Results) != 0 {
		t.Errorf("%v: %+v", err, r.Results)
	}
}

// TestInterruptWhileStreamsOpen ends at once, whatever a server keeps the streams waiting for.
func TestInterruptWhileStreamsOpen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == opening {
			cancel()
		}
		<-r.Context().Done()
	}).url.String()
	r := newRun(scenario{name: "hold"}, options{url: url, clients: 2 * opening, duration: time.Hour}, nil)
	if err := r.hold(ctx); !errors.Is(err, errNothing) {
		t.Errorf("%v", err)
	}
}

func TestScheduleTellsWhatIsOwed(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_800_000_000, 0)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	for _, c := range []struct {
		due   []int // ms
		until int
		owed  int64
	}{
		{nil, 1000, 0},
		{[]int{0, 100}, 1000, 0},                     // one distance is no rule
		{[]int{0, 100, 200}, 1000, 8},                // the one at 1000 too
		{[]int{0, 100, 200}, 299, 0},                 //
		{[]int{0, 100, 200}, 150, 0},                 // the end is before the last
		{[]int{0, 100, 250}, 1000, 6},                // about even
		{[]int{0, 100, 350}, 1000, 0},                // no even distance
		{[]int{0, 100, 200, 600, 700, 800}, 1600, 5}, // held up once
		{[]int{0, 100, 130, 600, 610, 800}, 1600, 0},
		{[]int{0, 100, 100, 200}, 1000, 8}, // two at once
		{[]int{0, 200, 100, 400}, 1000, 3}, // one that overtook another
	} {
		var s schedule
		for _, ms := range c.due {
			s.saw(at(ms))
		}
		s.settle()
		if got := s.owes(at(c.until)); got != c.owed {
			t.Errorf("%v until %d: %d owed; want %d", c.due, c.until, got, c.owed)
		}
	}
}

// TestEventsAreReadAsTheStandardSays: lines make an event at the empty line, and only with data.
func TestEventsAreReadAsTheStandardSays(t *testing.T) {
	t.Parallel()
	const due = "1800000000123"
	long := strings.Repeat("x", 2*mostLine)
	for text, want := range map[string][2]int{ // events, and of these those with a time
		"data: " + due + "\n\n":                                              {1, 1},
		"data:" + due + "\r\n\r\n":                                           {1, 1},
		"id: 1\ndata: a\ndata: " + due + "\ndata: b\n\n":                     {1, 1},
		"data: no time\n\n":                                                  {1, 0},
		": alive\n\nevent: x\n\n\n":                                          {0, 0},
		"data: " + due + long + "\n\ndata: " + due + "\n\n":                  {2, 2},
		"data: " + long + due + "\n\n":                                       {1, 0},
		": " + long + "data: " + due + "\n\n":                                {0, 0},
		"data: " + strings.Repeat("x", mostLine-12) + "1800000000123000\n\n": {1, 0}, // it is cut within the number
		"data: " + due:                                                       {0, 0}, // it never ended
	} {
		if events, timed := readAll(text); events != want[0] || timed != want[1] {
			t.Errorf("%.60q: %d events, %d of them timed; want %v", text, events, timed, want)
		}
	}
}

func readAll(text string) (events, timed int) {
	_ = readLines(strings.NewReader(text), func(_ time.Time, ok bool) {
		if events++; ok {
			timed++
		}
	})
	return events, timed
}
