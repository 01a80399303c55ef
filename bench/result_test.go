package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func series(name, kind string, micros ...int) Series {
	s := Series{Contender: name, Kind: kind}
	for _, us := range micros {
		s.Samples = append(s.Samples, Sample{Work: 1, CPU: time.Duration(us) * time.Microsecond, Elapsed: time.Second,
			P50: time.Duration(us) * time.Microsecond})
	}
	return s
}

var exampleCase = Case{Name: "50 connections", Series: []Series{
	series(ourName, kindOurs, 8, 18, 9),
	series("nginx-1", kindNginx, 10, 30, 10),
	series("haproxy-1", kindHAProxy, 11, 12, 20),
	series("nethttp", kindOther, 1, 1, 1),
}}

// TestAgainst: the peer is the one with the least median, and others than peers are none.
func TestAgainst(t *testing.T) {
	v, each, ok := exampleCase.against(Verdict{What: "CPU", Must: 0.9, Goal: 0.8}, cpuPerWork, peerKinds...)
	if !ok || v.Against != "nginx-1" || len(each) != 3 || v.Ours != (spread{0.8, 0.6, 0.9}) || !v.Met || !v.GoalMet {
		t.Errorf("%+v, %v, %v", v, each, ok)
	}
	v, _, _ = exampleCase.against(Verdict{Must: 0.7}, cpuPerWork, peerKinds...)
	if v.Met || v.GoalMet {
		t.Errorf("0.8 is at most 0.7: %+v", v)
	}
	v, _, _ = exampleCase.against(Verdict{Must: 0.7, AtLeast: true}, cpuPerWork, kindNginx)
	if !v.Met {
		t.Errorf("0.8 is not at least 0.7: %+v", v)
	}
	if _, _, ok := (Case{Series: exampleCase.Series[:1]}).against(Verdict{}, cpuPerWork, kindNginx); ok {
		t.Error("there is a verdict without a peer")
	}
}

// TestErrorsAreNoAdvantage: a peer that answers with errors is not the best one, and nothing is met by ours if it does.
func TestErrorsAreNoAdvantage(t *testing.T) {
	wrong := func(s Series, n int) Series {
		s.Samples[0].Work, s.Samples[0].Errors = 1000, map[string]int{"status 502": n}
		return s
	}
	c := Case{Series: []Series{series(ourName, kindOurs, 10), series("nginx-1", kindNginx, 20), wrong(series("caddy", kindCaddy, 1), 11)}}
	if v, _, ok := c.against(Verdict{Must: 1}, p50, peerKinds...); !ok || v.Against != "nginx-1" || !v.Met {
		t.Errorf("1.1%% of errors: %+v", v)
	}
	c.Series[2] = wrong(series("caddy", kindCaddy, 1), 10)
	if v, _, ok := c.against(Verdict{Must: 100}, p50, peerKinds...); !ok || v.Against != "caddy" || !v.Met {
		t.Errorf("1%% of errors: %+v", v)
	}
	c.Series[0] = wrong(c.Series[0], 1)
	if v, _, _ := c.against(Verdict{Must: 100}, p50, peerKinds...); v.Met || v.GoalMet {
		t.Errorf("with an error of ours: %+v", v)
	}
}

// allWrong has as many errors in each sample as a peer may not have.
func allWrong(s Series) Series {
	for i := range s.Samples {
		s.Samples[i].Work, s.Samples[i].Errors = 1000, map[string]int{"status 502": 900}
	}
	return s
}

// TestOursWithErrors: whatever is asked of ours is not met if it answers with errors, or is not there. Nothing is left
// unsaid for it, or -enforce would pass.
func TestOursWithErrors(t *testing.T) {
	for what, ours := range map[string]Series{
		"errors":       allWrong(series(ourName, kindOurs, 1, 1)),
		"few errors":   {Contender: ourName, Kind: kindOurs, Samples: []Sample{{Work: 1e6, CPU: 1, Elapsed: time.Second, Errors: map[string]int{"a": 1}}}},
		"not measured": {},
	} {
		c := Case{Name: "50 connections", Series: []Series{ours, series("nginx-1", kindNginx, 50, 50), series("direct", kindDirect, 10, 10)}}
		cases := []Case{c, c, c}
		s := Scenario{Cases: cases}
		judgeSmall(&s, smallCases)
		if len(s.Verdicts) != 7 {
			t.Fatalf("%s: %d verdicts of a scenario that has seven", what, len(s.Verdicts))
		}
		s.Verdicts = append(s.Verdicts, c.absolute(Verdict{What: "p50", Must: 1e9}, p50))
		for _, v := range s.Verdicts {
			if v.Met || v.GoalMet || v.Missing != (what == "not measured") {
				t.Errorf("%s: %+v", what, v)
			}
		}
		if r := (Report{Scenarios: []Scenario{s}}); r.met() {
			t.Errorf("%s, and -enforce passes", what)
		}
		text := fmt.Sprint(verdictTable(s.Verdicts))
		if want := map[string]string{"errors": "NOT MET: errors", "few errors": "NOT MET: errors", "not measured": "not measured"}[what]; !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// TestNobodyToCompareWith: peers that all answer with errors, and a peer whose figure is nothing, do not have ours pass.
func TestNobodyToCompareWith(t *testing.T) {
	ours := series(ourName, kindOurs, 10)
	c := Case{Series: []Series{ours, allWrong(series("nginx-1", kindNginx, 20))}}
	if v, _, ok := c.against(Verdict{Must: 100}, p50, peerKinds...); !ok || v.Met || !v.Missing {
		t.Errorf("all peers have errors: %+v, %v", v, ok)
	}
	c.Series[1] = series("nginx-1", kindNginx, 0)
	v, _, _ := c.against(Verdict{Must: 1, AtLeast: true}, p50, peerKinds...)
	if v.Met || !v.Missing {
		t.Errorf("a ratio to nothing: %+v", v)
	}
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
}

// TestErrorsInTheRow: who has errors is seen to have them beside the figures, and of one round no range is said.
func TestErrorsInTheRow(t *testing.T) {
	sablier := series("sablier", kindSablier, 1)
	sablier.Samples[0].Work, sablier.Samples[0].Errors = 30, map[string]int{"status 502": 3}
	c := Case{Series: []Series{series(ourName, kindOurs, 2), sablier}}
	rows := caseTable(c, []metric{{"ms", p50Ms, "%.3f", less}, {"starts", starts, "%.0f", neither}})
	if got := fmt.Sprint(rows); got != "[[ ms starts errors] [dynapm 0.002 1 0] [sablier 0.001 30 3: not to be compared]]" {
		t.Error(got)
	}
	rows = caseTable(Case{Series: c.Series[:1]}, []metric{{"ms", p50Ms, "%.3f", less}})
	if got := fmt.Sprint(rows); got != "[[ ms] [dynapm 0.002]]" {
		t.Error(got)
	}
}

// TestDisturbed: what the gateway cannot have gained, and what was measured on a busy machine, is not plainly met.
func TestDisturbed(t *testing.T) {
	for _, c := range []struct {
		load, median float64
		want         string
	}{{2, 0.1, "met"}, {2.1, 0.1, "met, disturbed"}, {0, -0.9, "met"}, {0, -19, "met, disturbed"}, {9, 3, "NOT MET"}} {
		s := Scenario{Load: c.load, Verdicts: []Verdict{Verdict{Unit: unitMs, Ours: spread{Median: c.median}, Must: 1}.judge()}}
		s.disturb(2)
		if got := s.Verdicts[0].word(s.Verdicts[0].Met); got != c.want {
			t.Errorf("load %v, %v ms: %s", c.load, c.median, got)
		}
	}
}

func TestAddedLatency(t *testing.T) {
	c := Case{Name: "1 connection", Series: []Series{
		series(ourName, kindOurs, 30, 50), series("nginx-1", kindNginx, 50, 70), series("nginx-2", kindNginx, 60, 80),
		series("direct", kindDirect, 10, 30),
	}}
	v, ok := addedLatency(c)
	if !ok || v.Against != "nginx-1" || v.Ours.Median != 0.5 || !v.Met {
		t.Errorf("%+v, %v", v, ok)
	}
}

// TestReportText: a reader finds the figures, the comparison, what went wrong and what is not met.
func TestReportText(t *testing.T) {
	report := exampleReport()
	var out bytes.Buffer
	printReport(&out, &report)
	for _, want := range []string{"A CPU, 2 cores", "small GETs: 50 connections, median of 3 rounds", "best peer", "0.80",
		"nethttp: 4 times status 502", "<= 0.7", "NOT MET", "nginx-2: nginx is not installed", "incomplete"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if report.met() {
		t.Error("what is not met passes")
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestMet(t *testing.T) {
	good := Report{Scenarios: []Scenario{{Verdicts: []Verdict{{Met: true}, {Met: true}}}}}
	if !good.met() {
		t.Error("everything is met, and it does not pass")
	}
	good.Incomplete = true
	if good.met() {
		t.Error("an incomplete run passes")
	}
}
