package main

import "context"

// idleScenario: what a keep-alive connection costs that has nothing to do. Memory that a process got once it keeps, so
// each measurement has a new one.
var idleScenario = scenario{
	name:    "idle",
	title:   "idle keep-alive connections",
	alone:   true,
	rounds:  3,
	columns: []metric{{"KiB/connection", memoryPerWork, "%.2f", less}, {"MB in all", residentMB, "%.1f", less}},
	takes:   func(c contender) bool { return c.kind != kindDirect },
	measure: measureIdle,
	judge:   judgeIdle,
}

const (
	idleClients = 10000
	idleAtOnce  = 200 // as many are opened at a time
	idleMust    = 1   // KiB
)

func measureIdle(ctx context.Context, b *bench) error {
	n := b.count(idleClients)
	return b.eachRound(ctx, []string{connections(n)}, func(_ int, r running) (Sample, error) {
		return holdIdle(ctx, r, n)
	})
}

// holdIdle opens connections, has each make one request, and looks at the memory. Then each makes another, to show that
// it was kept.
func holdIdle(ctx context.Context, r running, n int) (Sample, error) {
	warmth, err := closedLoop(ctx, r, smallRequest, idleAtOnce, idleAtOnce*10, false)
	if err != nil {
		return Sample{}, err
	}
	before, err := memoryOf(r.pids)
	if err != nil {
		return Sample{}, err
	}
	var loads []*load
	defer func() {
		for _, l := range loads {
			l.close()
		}
	}()
	sample := Sample{Work: float64(n), Errors: warmth.Errors}
	ask := func(l *load) error {
		o, err := l.run(ctx, l.count)
		sample.Errors = merged(sample.Errors, o.Errors)
		return err
	}
	for opened := 0; opened < n; opened += idleAtOnce {
		l, err := openLoad(r.address, smallRequest, min(idleAtOnce, n-opened), false)
		if err != nil {
			return Sample{}, err
		}
		loads = append(loads, l)
		if err := ask(l); err != nil {
			return Sample{}, err
		}
	}
	after, err := memoryOf(r.pids)
	if err != nil {
		return Sample{}, err
	}
	sample.Memory, sample.Resident, sample.Own = after.resident-before.resident, after.resident, after.own
	for _, l := range loads {
		if err := ask(l); err != nil {
			return Sample{}, err
		}
	}
	return sample, nil
}

func judgeIdle(s *Scenario) {
	for _, c := range s.Cases {
		s.Verdicts = append(s.Verdicts, c.absolute(Verdict{What: "growth for each connection", Unit: " KiB", Must: idleMust}, memoryPerWork))
	}
}

// merged adds counts of errors.
func merged(to, from map[string]int) map[string]int {
	for kind, n := range from {
		if to == nil {
			to = map[string]int{}
		}
		to[kind] += n
	}
	return to
}
