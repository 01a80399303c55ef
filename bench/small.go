package main

import (
	"context"
	"fmt"
)

// requestColumns are what there is to say of requests. A generator near 100% of a core is the limit, and not what it asks.
var requestColumns = []metric{
	{"CPU us/request", cpuPerWork, "%.1f", less}, {"requests/s", workPerSecond, "%.0f", more}, {"p50 us", p50, "%.0f", less},
	{"p99 us", p99, "%.0f", less}, {"generator %", generatorShare, "%.0f", neither},
}

// smallScenario: small keep-alive GETs at three numbers of connections.
var smallScenario = smallOf(smallCases)

func smallOf(cases []smallCase) scenario {
	return scenario{
		name:    "small",
		title:   "small keep-alive GETs",
		columns: requestColumns,
		measure: func(ctx context.Context, b *bench) error { return measureSmall(ctx, b, cases) },
		judge:   func(s *Scenario) { judgeSmall(s, cases) },
	}
}

type smallCase struct {
	clients, requests int
	must, goal        float64
}

// smallCases: the numbers of requests are such that the engine works for about a second. The CPU clock has nanoseconds,
// so that is enough.
var smallCases = []smallCase{
	{1, 20000, 0.95, 0.85},
	{50, 50000, 0.90, 0.80},
	{200, 50000, 0.88, 0.75},
}

const smallGeomean = 0.88

func measureSmall(ctx context.Context, b *bench, cases []smallCase) error {
	var names []string
	for _, c := range cases {
		names = append(names, connections(c.clients))
	}
	return b.eachRound(ctx, names, func(at int, r running) (Sample, error) {
		c := cases[at]
		if r.kind == kindDirect && c.clients > 1 {
			return Sample{}, nil // it is there for the latency it does not add
		}
		return closedLoop(ctx, r, smallRequest, c.clients, b.count(c.requests), false)
	})
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

func judgeSmall(s *Scenario, cases []smallCase) {
	mean := Verdict{What: "CPU per request, geometric mean", Must: smallGeomean}
	var each [][]float64
	for i, c := range cases {
		v, rounds, ok := s.Cases[i].against(Verdict{What: "CPU per request, " + s.Cases[i].Name, Must: c.must, Goal: c.goal},
			cpuPerWork, peerKinds...)
		if ok {
			s.Verdicts = append(s.Verdicts, v)
			each = append(each, rounds)
			mean.Wrong, mean.Missing = mean.Wrong || v.Wrong, mean.Missing || v.Missing
		}
	}
	if len(each) == len(cases) && len(cases) > 1 {
		mean.Ours = spreadOf(geomeans(each))
		s.Verdicts = append(s.Verdicts, mean.judge())
	}
	if v, ok := addedLatency(s.Cases[0]); ok {
		s.Verdicts = append(s.Verdicts, v)
	}
	for i, c := range s.Cases {
		if cases[i].clients == 1 {
			continue
		}
		if v, _, ok := c.against(Verdict{What: "requests per second, " + c.Name, Must: 1, AtLeast: true}, workPerSecond, peerKinds...); ok {
			s.Verdicts = append(s.Verdicts, v)
		}
	}
}

// addedLatency is what a proxy adds to the p50 of the way without it, ours to nginx's.
func addedLatency(c Case) (Verdict, bool) {
	v := Verdict{What: "added p50 latency, " + c.Name, Must: 1}
	if !c.has(kindDirect) || !c.has(kindNginx) {
		return v, false
	}
	ours := c.ours()
	direct, _ := c.find(p50, false, kindDirect)
	nginx, _ := c.find(p50, false, kindNginx)
	added := func(s Series) []float64 { return differences(s.values(p50), direct.values(p50)) }
	each := ratios(added(ours), added(nginx))
	v.Ours, v.Against = spreadOf(each), nginx.Contender
	v.Missing, v.Wrong = len(each) == 0, ours.wrong() > 0
	return v.judge(), true
}
