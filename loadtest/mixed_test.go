package loadtest

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestExpandHosts(t *testing.T) {
	t.Parallel()
	got, err := expandHosts("a.localhost, s{9..11}.localhost")
	if want := []string{"a.localhost", "s9.localhost", "s10.localhost", "s11.localhost"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "a", "a,,b", "s{2..1}.x", "s{1..}", "a b,c"} {
		if got, err := expandHosts(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// TestMixedAsksPopularHostsMoreOften, and knows each by its own body.
func TestMixedAsksPopularHostsMoreOften(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.Host]++
		if asked[r.Host] == 5 && r.Host == "s1" {
			io.WriteString(w, "s2") // a gateway that mixes them up
			return
		}
		io.WriteString(w, r.Host)
	})
	r := newRun(scenario{name: "mixed"}, options{url: to.url.String(), hosts: "s{1..20}", clients: 4, rate: 5000, requests: 1000, duration: time.Minute}, nil)
	if err := r.mixed(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := r.report.Results[0]
	if got.Requests != 1000 || got.Failed != 1 || got.Errors["wrong body"] != 1 {
		t.Errorf("%d requests, errors %v", got.Requests, got.Errors)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 20 || asked["s1"] < 3*asked["s10"] {
		t.Errorf("asked %v", asked)
	}
}

// TestSoakComparesItsEnd: the ratio is that of the last quarter of the series by the first.
func TestSoakComparesItsEnd(t *testing.T) {
	t.Parallel()
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	r := newRun(scenario{name: "soak"}, options{url: to.url.String(), clients: 2, rate: 200, duration: 3 * time.Second}, nil)
	if err := r.soak(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.report; got.Results[0].Requests != 600 || len(got.Ratios) != 2 || got.Ratios[0].Of != "p50, last quarter by first" || got.Ratios[0].Pairs < 10 {
		t.Errorf("%d requests, ratios %+v", got.Results[0].Requests, got.Ratios)
	}
}
