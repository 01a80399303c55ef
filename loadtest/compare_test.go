package loadtest

import (
	"net/http"
	"strings"
	"sync"
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
