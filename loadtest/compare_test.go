package loadtest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestTargetsTakeTurns: in each pair of slices both are asked, and the one that begins is the other than before.
func TestTargetsTakeTurns(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order strings.Builder
	server := func(name string) string {
		return serve(t, func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			order.WriteString(name)
		}).url.String()
	}
	r := newRun(scenario{name: "latency"}, options{url: server("a"), compare: server("b"), clients: 1, requests: slicePairs}, nil)
	if err := r.measure(t.Context(), false, r.prepare); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	// Each is asked twice beforehand, to learn what it answers.
	if want := "aabb" + strings.Repeat("abba", slicePairs/2); order.String() != want {
		t.Errorf("asked in the order %s; want %s", order.String(), want)
	}
	for _, got := range r.report.Results {
		if got.Requests != slicePairs || got.Failed != 0 || len(got.Series) != slicePairs {
			t.Errorf("%+v", got)
		}
	}
	if len(r.report.Ratios) != 3 || r.report.Ratios[0].Pairs != slicePairs {
		t.Errorf("ratios %+v", r.report.Ratios)
	}
}

// TestErrorsAreSaidBesideTheRatios: an error comes fast, and makes neither the good requests more nor them faster. In
// each form of the report whoever looks at the ratios alone reads how many there were.
func TestErrorsAreSaidBesideTheRatios(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	half := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n > 2 && n%2 == 0 { // two to learn what it answers
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}).url.String()
	whole := serve(t, func(http.ResponseWriter, *http.Request) {}).url.String()
	r, err := runFlags(t, "latency -n 80 -d 0 -warmup 0 -url "+half+" -compare "+whole)
	if err != nil {
		t.Fatal(err)
	}
	if r.Results[0].Failed != 40 || len(r.Ratios) != 3 || r.Ratios[0].Of != "good requests/s, -url by -compare" {
		t.Fatalf("%+v", r)
	}
	for _, p := range r.Results[0].Series {
		if p.Requests != 2 || p.Errors != 2 {
			t.Errorf("a slice of two good and two bad requests: %+v", p)
		}
	}
	wantInRatios(t, r, "40 of 80 (50%) of "+half, "0 of 80 (0%) of "+whole)
}

// wantInRatios holds that each form of the report marks the ratios and has these words below them.
func wantInRatios(t *testing.T, r *Report, words ...string) {
	t.Helper()
	var table bytes.Buffer
	writeTable(&table, r)
	page, err := html(r)
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{"table": table.String(), "Markdown": string(markdown(r)), "page": string(page)} {
		at := max(strings.Index(text, "RATIO OF"), strings.Index(text, "ratio of |"))
		for _, word := range append(words, " "+doubtMark, doubtMark+" ") {
			if at < 0 || !strings.Contains(text[at:], word) {
				t.Errorf("below the ratios the %s has no %q:\n%s", form, word, text)
			}
		}
	}
}

// TestRatiosOfVoidAndInterruptedRunsAreMarked, and so are those that had to leave pairs out; others are not.
func TestRatiosOfVoidAndInterruptedRunsAreMarked(t *testing.T) {
	t.Parallel()
	for words, spoil := range map[string]func(*Report){
		"VOID":              func(r *Report) { r.Generator.Void = true },
		"interrupted":       func(r *Report) { r.Interrupted = true },
		"left out":          func(r *Report) { r.Ratios[0].LeftOut = 3 },
		"there were errors": func(r *Report) { r.Results[1].Failed = 1 },
	} {
		r := sample()
		r.Results[0].Failed, r.Results[1].Failed = 0, 0
		if doubts := r.doubts(); len(doubts) != 0 {
			t.Errorf("without a reason: %q", doubts)
		}
		spoil(r)
		r.RatioDoubts = r.doubts()
		if len(r.RatioDoubts) != 1 {
			t.Errorf("%s: %q", words, r.RatioDoubts)
		}
		wantInRatios(t, r, words)
	}
	r := sample()
	r.Ratios[0].LeftOut = 3
	var table bytes.Buffer
	if writeTable(&table, r); !strings.Contains(table.String(), "20 of 23") {
		t.Errorf("pairs that were left out are not in\n%s", table.String())
	}
}

// TestOnePairHasNoRatio, and the report says why there is none.
func TestOnePairHasNoRatio(t *testing.T) {
	t.Parallel()
	n := newNapping()
	at := serve(t, n.ServeHTTP).url.String()
	r, err := runFlags(t, "coldstart -n 1 -url "+at+" -compare "+at+" -host a.x,b.x -admin "+at)
	if err != nil || len(r.Ratios) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "1 of 1") {
		t.Errorf("%v: ratios %+v, notes %q", err, r.Ratios, r.Notes)
	}
}

// TestSlicesWithoutAnAnswerAreCounted among the pairs that were left out.
func TestSlicesWithoutAnAnswerAreCounted(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n > 2 && n <= 5 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}).url.String()
	good := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }).url.String()
	r, err := runFlags(t, "latency -n 20 -d 0 -warmup 0 -url "+url+" -compare "+good)
	if err != nil || len(r.Ratios) != 3 {
		t.Fatalf("%v: %+v", err, r)
	}
	if slices.ContainsFunc(r.Ratios, func(q Ratio) bool { return q.Pairs != slicePairs-3 || q.LeftOut != 3 }) {
		t.Errorf("%+v", r.Ratios)
	}
}
