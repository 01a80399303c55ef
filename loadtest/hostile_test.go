package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPatienceEnds: a request without an answer is an error once the patience is over, and so is one that found no
// connection until then. Neither is in the latency.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	to := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	gen, err := newGenerator(to, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.close()
	gen.patience = 400 * time.Millisecond
	now := time.Now()
	rec := newRecorder(now, 0)
	// All are due within 2 us, so the patience of each ends with that of the first.
	if err := gen.run(t.Context(), constantRate{bound{requests: 20}, 1e7}, rec, now); err != nil {
		t.Fatal(err)
	}
	if rec.errors["no answer within 400ms"] != 1 || rec.errors["no connection free within 400ms"] != 19 || rec.count() != 20 {
		t.Errorf("errors %v of %d", rec.errors, rec.count())
	}
}

// TestPatienceCountsFromWhenARequestWasDue, not from when a connection was free for it: a server that hangs must not
// make a run longer by one patience after the other.
func TestPatienceCountsFromWhenARequestWasDue(t *testing.T) {
	t.Parallel()
	to := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	gen, err := newGenerator(to, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.close()
	now := time.Now()
	gen.pace = closedLoop{bound{requests: 1}}
	gen.taken = 1
	gen.begin(gen.free[0], now.Add(-gen.patience+time.Second))
	gen.begin(gen.free[1], now.Add(-gen.patience))
	gen.free = nil
	if gen.scan(now); gen.rec.failed != 0 {
		t.Errorf("within its patience: errors %v", gen.rec.errors)
	}
	gen.scan(now.Add(time.Millisecond))
	if gen.rec.errors["no answer within 30s"] != 1 || gen.busy != 1 {
		t.Errorf("one of two at its end: errors %v, %d wait", gen.rec.errors, gen.busy)
	}
}

// TestBadAnswersKeepTheConnection: a reply that is whole says nothing against its connection. A gateway that refuses
// must not be asked over new connections alone, when it is least able to take them.
func TestBadAnswersKeepTheConnection(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	peers := make(chan string, 100)
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		peers <- r.RemoteAddr
		if asked.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		} else {
			io.WriteString(w, "jello")
		}
	})
	to.expect = &body{[]byte("hello")}
	rec := load(t, to, 1, closedLoop{bound{requests: 10}})
	if rec.errors["status 503"] != 5 || rec.errors["wrong body"] != 5 || rec.failed != 10 {
		t.Errorf("errors %v", rec.errors)
	}
	first := <-peers
	for range 9 {
		if peer := <-peers; peer != first {
			t.Errorf("asked from %s, then from %s", first, peer)
		}
	}
}

// TestServerThatSendsWithoutEnd holds up neither the clients beside it nor the end of its own request.
func TestServerThatSendsWithoutEnd(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		var asked atomic.Int64
		flood := bytes.Repeat([]byte("x"), 1<<20)
		to := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) > 1 {
				return
			}
			for {
				if _, err := w.Write(flood); err != nil {
					return
				}
			}
		})
		gen, err := newGenerator(to, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer gen.close()
		gen.patience = time.Second
		gen.scratch = gen.scratch[:64] // so that the server is the faster one
		now := time.Now()
		rec := newRecorder(now, 0)
		if err := gen.run(t.Context(), constantRate{bound{requests: 50}, 100}, rec, now); err != nil {
			t.Fatal(err)
		}
		// The flood takes most of a small machine; what it must not do is take all.
		if rec.errors["no answer within 1s"] != 1 || rec.latency.TotalCount() < 10 || rec.count() != 50 {
			t.Errorf("errors %v of %d", rec.errors, rec.count())
		}
	})
}

// TestWhatIsKeptIsBounded: what a server says can be in the name of an error, but neither much of it nor as it is.
func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecorder(time.Now(), 0)
	for n := range 1000 {
		r.fail(fmt.Sprintf("%d \x1b[2J\n%s", n, strings.Repeat("y", 10_000)), time.Now(), 2)
	}
	other := newRecorder(time.Now(), 0)
	other.merge(r)
	for _, r := range []*recorder{r, other} {
		var sum int64
		for kind, n := range r.errors {
			if sum += n; len(kind) > longestKind || strings.ContainsAny(kind, "\x1b\n") {
				t.Errorf("%q", kind)
			}
		}
		if sum != 2000 || r.failed != 2000 || len(r.errors) > mostKinds+1 || r.errors["others"] < 2*(1000-mostKinds) {
			t.Errorf("%d of %d errors, of %d kinds", sum, r.failed, len(r.errors))
		}
	}
	if got := printable("a\x00b\xff\u202e", 100); got != "a b\ufffd " {
		t.Errorf("%q", got)
	}
}

// TestLargeBodyIsNotKept whole: one byte more than the most tells that there was more.
func TestLargeBodyIsNotKept(t *testing.T) {
	t.Parallel()
	var kept []byte
	var r reply
	r.reset(nil, &kept)
	r.feed([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	piece := bytes.Repeat([]byte("z"), 1<<20)
	for range mostBody>>20 + 2 {
		r.feed(piece)
	}
	if whole, wrong := r.end(); len(kept) != mostBody+1 || !whole || wrong != "" || r.got != mostBody+2<<20 {
		t.Errorf("%d bytes kept of %d, whole %v, wrong %q", len(kept), r.got, whole, wrong)
	}
}

// TestInterimRepliesHaveNoEnd but that of the patience; they take neither memory nor stack.
func TestInterimRepliesHaveNoEnd(t *testing.T) {
	t.Parallel()
	var r reply
	r.reset(nil, nil)
	piece := bytes.Repeat([]byte("HTTP/1.1 102 Processing\r\n\r\n"), 2000)
	for range 100 {
		if rest, whole, wrong := r.feed(piece); whole || wrong != "" || len(rest) > 0 {
			t.Fatalf("whole %v, wrong %q, %d bytes left", whole, wrong, len(rest))
		}
	}
	if len(r.kept) > 0 {
		t.Errorf("%d bytes are kept", len(r.kept))
	}
	if _, whole, wrong := r.feed([]byte("HTTP/1.1 204 No Content\r\n\r\n")); !whole || wrong != "" {
		t.Errorf("whole %v, wrong %q", whole, wrong)
	}
}

// TestInterruptTellsWhatWasCutShort: it is in no count, and may be the reason for the interruption.
func TestInterruptTellsWhatWasCutShort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 10 {
			cancel()
			<-r.Context().Done()
		}
	}).url.String()
	s, o, err := parseFlags("latency -warmup 0 -url " + url)
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(s, o, nil)
	if err := r.do(ctx, s); err != nil {
		t.Fatal(err)
	}
	if got := r.report.Results[0]; got.Requests != 8 || got.Failed != 0 || !r.report.Interrupted {
		t.Errorf("%+v", got)
	}
	if len(r.report.Notes) != 1 || !strings.Contains(r.report.Notes[0], "1 requests had no answer yet") {
		t.Errorf("notes %q", r.report.Notes)
	}
}

// TestRedirectIsTold: it is good, and not what most would want to measure.
func TestRedirectIsTold(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) }).url.String()
	r, err := runFlags(t, "latency -n 3 -d 0 -warmup 0 -url "+url)
	if err != nil || r.Results[0].Failed != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "status 302") {
		t.Errorf("%v: %+v", err, r)
	}
}
