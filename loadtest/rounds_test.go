package loadtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// napping is a gateway with an admin API: a service wakes with a request, and sleeps once it is told to. It stands for
// the engine where that has to behave badly at a given moment; the engine itself is asked in engine/e2e.
type napping struct {
	mu     sync.Mutex
	log    []string // what happened, in its order
	starts map[string]int
	up     map[string]bool
	stops  int
	lastOK int // the stops after that many fail; 0: none

	asked func(*http.Request) // before each answer
}

func (n *napping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if n.asked != nil && !strings.HasPrefix(r.URL.Path, "/_dynapm") {
		n.asked(r)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	path, admin := strings.CutPrefix(r.URL.Path, "/_dynapm/api/services/")
	if !admin {
		name, _, _ := strings.Cut(r.Host, ".")
		if !n.up[name] {
			n.up[name] = true
			n.starts[name]++
			n.log = append(n.log, name)
		}
		io.WriteString(w, "hello")
		return
	}
	name, verb, _ := strings.Cut(path, "/")
	if verb == "stop" {
		if n.stops++; n.lastOK > 0 && n.stops > n.lastOK {
			http.Error(w, `{"error":"cannot \u001b[2J stop"}`, http.StatusInternalServerError)
			return
		}
		n.up[name] = false
		return
	}
	state := "stopped"
	if n.up[name] {
		state = "ready"
	}
	fmt.Fprintf(w, `{"state":%q,"startCount":%d,"lastStart":{"launched":0.001,"firstByte":0.002}}`, state, n.starts[name])
}

func newNapping() *napping { return &napping{starts: map[string]int{}, up: map[string]bool{}} }

// TestRoundsTakeTurns: two services are woken in turns, and the one that is first changes.
func TestRoundsTakeTurns(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"coldstart -n 4", "herd -n 4 -c 3"} {
		n := newNapping()
		at := serve(t, n.ServeHTTP).url.String()
		r, err := runFlags(t, line+" -url "+at+" -compare "+at+" -host a.x,b.x -admin "+at)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if want := strings.Split("ababbaabba", ""); !slices.Equal(n.log, want) {
			t.Errorf("%s: woken in the order %v; want %v", line, n.log, want)
		}
		if len(r.Ratios) != 1 || r.Ratios[0].Pairs != 4 || len(r.Results) != 2 {
			t.Fatalf("%s: ratios %+v of %d results", line, r.Ratios, len(r.Results))
		}
		for i, got := range r.Results {
			if len(got.Series) != 4 || got.Failed != 0 || len(got.ColdStarts)+len(got.Herds) != 4 || got.Host != string(rune('a'+i))+".x" {
				t.Errorf("%s: %+v", line, got)
			}
		}
	}
}

// TestRoundsKeepWhatWasMeasured when something goes wrong on the way, and say what.
func TestRoundsKeepWhatWasMeasured(t *testing.T) {
	t.Parallel()
	n := newNapping()
	n.lastOK = 3
	at := serve(t, n.ServeHTTP).url.String()
	r, err := runFlags(t, "coldstart -n 10 -host a.x -url "+at+" -admin "+at)
	if err == nil || len(r.Results) != 1 || r.Results[0].Requests != 3 || len(r.Results[0].ColdStarts) != 3 {
		t.Fatalf("%v: %+v", err, r.Results)
	}
	if len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0], "it ended early: ") || !strings.Contains(r.Notes[0], "500") || strings.Contains(r.Notes[0], "\x1b") {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestInterruptKeepsRounds that were whole; of the one that was not, it says how many had no answer.
func TestInterruptKeepsRounds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	n := newNapping()
	var asked atomic.Int64
	n.asked = func(r *http.Request) {
		if asked.Add(1) > 2+2*5 { // two to learn, and two herds
			cancel()
			<-r.Context().Done()
		}
	}
	at := serve(t, n.ServeHTTP).url.String()
	s, o, err := parseFlags("herd -n 10 -c 5 -host a.x -url " + at + " -admin " + at)
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(s, o, nil)
	if err := r.do(ctx, s); err != nil {
		t.Fatal(err)
	}
	got := r.report.Results[0]
	if !r.report.Interrupted || got.Requests != 10 || got.Failed != 0 || len(got.Herds) != 2 || len(got.Series) != 2 {
		t.Errorf("%+v", got)
	}
	if len(r.report.Notes) != 1 || !strings.Contains(r.report.Notes[0], "5 requests had no answer yet") {
		t.Errorf("notes %q", r.report.Notes)
	}
}
