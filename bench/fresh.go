package main

import "context"

// freshScenario: each request has a connection of its own.
var freshScenario = scenario{
	name:    "newconn",
	title:   "a new connection for each request, 50 at a time",
	columns: requestColumns,
	takes:   func(c contender) bool { return c.kind != kindDirect },
	measure: measureFresh,
	judge:   judgeFresh,
}

// freshCases are the two ways in which clients ask for it.
var freshCases = []struct {
	name string
	ask  request
}{
	{"HTTP/1.0 (as ab)", oldRequest},
	{"Connection: close (as wrk)", closeRequest},
}

const (
	freshClients  = 50
	freshRequests = 15000
	freshMust     = 1.25
)

func measureFresh(ctx context.Context, b *bench) error {
	var names []string
	for _, c := range freshCases {
		names = append(names, c.name)
	}
	return b.eachRound(ctx, names, func(at int, r running) (Sample, error) {
		return closedLoop(ctx, r, freshCases[at].ask, freshClients, b.count(freshRequests), true)
	})
}

func judgeFresh(s *Scenario) {
	for _, c := range s.Cases {
		if v, _, ok := c.against(Verdict{What: "CPU per request, " + c.Name, Must: freshMust}, cpuPerWork, peerKinds...); ok {
			s.Verdicts = append(s.Verdicts, v)
		}
	}
}
