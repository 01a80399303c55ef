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
	steadily(t, func(t *trial) {
		to := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
		r := newRun(scenario{name: "soak"}, options{url: to.url.String(), clients: 2, rate: 200, duration: 3 * time.Second}, nil)
		if err := r.soak(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.report; got.Results[0].Requests != 600 || len(got.Ratios) != 2 || got.Ratios[0].Of != "p50, last quarter by first" || got.Ratios[0].Pairs < 2 || got.Ratios[0].Pairs > len(got.Results[0].Series)/4 {
			t.Errorf("%d requests, ratios %+v", got.Results[0].Requests, got.Ratios)
		}
	})
}

// TestSoakOfTwo compares each one's end with its beginning, and the two with one another.
func TestSoakOfTwo(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }).url.String()
		r, err := runFlags(t, "soak -warmup 0 -rate 500 -d 2s -c 2 -url "+url+" -compare "+url)
		if err != nil {
			t.Fatal(err)
		}
		var of []string
		for _, q := range r.Ratios {
			of = append(of, q.Of)
		}
		want := []string{"p50, -url by -compare", "p99, -url by -compare", "p50, last quarter by first of -url", "p99, last quarter by first of -url",
			"p50, last quarter by first of -compare", "p99, last quarter by first of -compare"}
		if !slices.Equal(of, want) || r.Results[0].Requests != r.Results[1].Requests || r.Results[0].Failed+r.Results[1].Failed != 0 {
			t.Errorf("ratios %q, %d and %d requests", of, r.Results[0].Requests, r.Results[1].Requests)
		}
	})
}

// TestMixedOfTwo: both are asked for the same hosts in the same order.
func TestMixedOfTwo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order [2][]string
	server := func(n int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			order[n] = append(order[n], r.Host)
			io.WriteString(w, r.Host)
		}).url.String()
	}
	r, err := runFlags(t, "mixed -hosts s{1..20} -c 1 -rate 2000 -n 400 -url "+server(0)+" -compare "+server(1))
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(order[0]) != 40+400 || !slices.Equal(order[0], order[1]) {
		t.Errorf("asked in the order\n%v\n%v", order[0], order[1])
	}
	for _, got := range r.Results {
		if got.Requests != 400 || got.Failed != 0 || got.Host != "s{1..20}" || !got.BodyChecked {
			t.Errorf("%+v", got)
		}
	}
	if len(r.Ratios) != 2 || r.Ratios[0].Pairs != slicePairs {
		t.Errorf("ratios %+v", r.Ratios)
	}
}
