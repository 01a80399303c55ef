package loadtest

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestRatioAndItsInterval(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	ours, theirs := make([]float64, 20), make([]float64, 20)
	for i := range ours {
		machine := 1 + 9*random.Float64() // what both meet in a pair
		ours[i], theirs[i] = 2*machine*(0.95+0.1*random.Float64()), machine
	}
	r, ok := ratioOf("p50", ours, theirs)
	if !ok || math.Abs(r.Ratio-2) > 0.05 || r.Low > 2 || r.High < 2 || r.Low > r.Ratio || r.High < r.Ratio || r.High-r.Low > 0.2 || r.Pairs != 20 {
		t.Errorf("%+v", r)
	}
	ours[3], theirs[4] = 0, 0
	if r, ok := ratioOf("p50", ours, theirs); !ok || r.Pairs != 18 || r.LeftOut != 2 {
		t.Errorf("without two slices: %+v", r)
	}
	if _, ok := ratioOf("p50", ours[:1], theirs[:1]); ok {
		t.Error("one pair has an interval")
	}
}

func TestColdStartIsDivided(t *testing.T) {
	t.Parallel()
	at := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		clock clock
		want  Cold
	}{
		{clock{at(2), at(30), at(31), at(33), at(45)}, Cold{Total: 50, Known: true, Launch: 2, Listen: 28, Ready: 1, Connect: 2, FirstByte: 12, Around: 5}},
		{clock{at(2), nil, at(32), nil, at(45)}, Cold{Total: 50, Known: true, Launch: 2, Ready: 30, FirstByte: 13, Around: 5}},
		{clock{at(2), at(60), at(61), at(62), at(63)}, Cold{Total: 50, Known: true, Launch: 2, Listen: 58, Ready: 1, Connect: 1, FirstByte: 1}},
	} {
		if got := coldOf(&c.clock, 50); got != c.want {
			t.Errorf("%+v; want %+v", got, c.want)
		}
	}
}

// TestSeriesHasItsGaps: a step in which nothing came is a point.
func TestSeriesHasItsGaps(t *testing.T) {
	t.Parallel()
	began := time.Unix(1000, 0)
	r := newRecorder(began, time.Second)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	r.good(at(0), at(100))
	r.fail("status 503", at(900), 2)
	r.good(at(1500), at(3500))
	r.finish(at(3750))
	want := []Point{
		{At: 1, Requests: 1, Errors: 2, Rate: 1, P50: 100, P99: 100, Max: 100},
		{At: 2}, {At: 3},
		{At: 3.75, Requests: 1, Rate: 1 / 0.75, P50: 2000, P99: 2000, Max: 2000},
	}
	if len(r.points) != len(want) {
		t.Fatalf("points %+v", r.points)
	}
	for i, p := range r.points {
		for _, v := range []*float64{&p.P50, &p.P99, &p.Max} {
			*v = math.Round(*v/2) * 2 // three digits are kept
		}
		if p.At != want[i].At || p.Requests != want[i].Requests || p.Errors != want[i].Errors || math.Abs(p.Rate-want[i].Rate) > 1e-9 || p.P99 != want[i].P99 {
			t.Errorf("point %d: %+v; want %+v", i, p, want[i])
		}
	}
	if r.count() != 4 {
		t.Errorf("%d requests", r.count())
	}
}

func TestVoidAboveNineTenthsOfACore(t *testing.T) {
	t.Parallel()
	for cpu, void := range map[time.Duration]bool{900 * time.Millisecond: false, 901 * time.Millisecond: true} {
		m := meter{elapsed: time.Second, cpu: cpu}
		if g := m.generator(); g.Void != void {
			t.Errorf("%v of a second: %+v", cpu, g)
		}
		var table bytes.Buffer
		r := sample()
		r.Generator = m.generator()
		writeTable(&table, r)
		if said := strings.Contains(table.String(), "VOID") && strings.Contains(string(markdown(r)), "VOID"); said != void {
			t.Errorf("%v of a second is said to be void: %v", cpu, said)
		}
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		failed int64
		void   bool
		want   int
	}{{0, false, 0}, {1, false, 1}, {0, true, 3}, {1, true, 1}} {
		r := &Report{Generator: Generator{Void: c.void}, Results: []Result{{}, {Failed: c.failed}}}
		if got := r.exit(); got != c.want {
			t.Errorf("%d errors, void %v: exit status %d; want %d", c.failed, c.void, got, c.want)
		}
	}
}

// sample is a report with something of everything.
func sample() *Report {
	began := time.Unix(1_800_000_000, 0).UTC()
	r := newRecorder(began, time.Second)
	for i := range 4000 {
		due := began.Add(time.Duration(i) * time.Millisecond)
		r.good(due, due.Add(time.Duration(100+i%97)*time.Microsecond))
	}
	r.fail("status 503 | <b>", began.Add(4*time.Second), 3)
	r.finish(began.Add(4 * time.Second))
	a, b := targetForTest("http://blog.localhost:3000/"), targetForTest("http://127.0.0.1:4000/")
	first := resultOf(a, r, 4*time.Second)
	first.ColdStarts = []Cold{{Total: 50, Known: true, Launch: 2, Listen: 28, Ready: 1, Connect: 2, FirstByte: 12, Around: 5}, {Total: 70}}
	first.Herds = []Herd{{100, 100, 1, 60}}
	return &Report{
		Schema: Schema, Scenario: "latency", Command: "dynapm loadtest latency", Began: began, Seconds: 4,
		Results: []Result{first, resultOf(b, r, 4*time.Second)},
		Ratios:  []Ratio{{Of: "p50", Ratio: 1.5, Low: 1.25, High: 1.75, Pairs: 20}},
		Notes:   []string{"a note"},
	}
}

func targetForTest(url string) *target {
	t, err := newTarget(url, "")
	if err != nil {
		panic(err)
	}
	return t
}

func TestReportHasEverythingInEachForm(t *testing.T) {
	t.Parallel()
	r := sample()
	var table bytes.Buffer
	writeTable(&table, r)
	md := string(markdown(r))
	for _, want := range []string{"blog.localhost:3000", "127.0.0.1:4000", "1.500", "1.250", "listen", "28.0 ms", "a note"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, table.String())
		}
		if !strings.Contains(md, want) {
			t.Errorf("the Markdown has no %q:\n%s", want, md)
		}
	}
	if !strings.Contains(md, `status 503 \| &lt;b> | 3 |`) {
		t.Errorf("the Markdown breaks its cells:\n%s", md)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil || back.Schema != "dynapm-loadtest/2" || back.Results[0].Failed != 3 ||
		back.Results[0].Requests != 4003 || len(back.Results[0].Curve) < 10 || len(back.Results[0].Series) != 5 {
		t.Errorf("read back (%v): %+v", err, back)
	}
}
