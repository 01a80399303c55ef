package main

import (
	"context"
	"slices"
	"time"
)

// quietScenario: what a gateway costs that nobody uses. All of them are quiet through the same minute.
var quietScenario = scenario{
	name:    "quiet",
	title:   "nothing to do",
	rounds:  1,
	columns: []metric{{"% of a core", coreShare, "%.2f", less}},
	takes:   func(c contender) bool { return c.kind != kindDirect },
	measure: measureQuiet,
	judge:   judgeQuiet,
}

const (
	quietTime = time.Minute
	quietMust = 1 // % of a core
)

func measureQuiet(ctx context.Context, b *bench) error {
	length := time.Duration(float64(quietTime) * b.scale)
	b.result.Cases = []Case{{Name: length.String()}}
	for round := range b.options.rounds {
		b.say("round %d of %d, %v", round+1, b.options.rounds, length)
		before := make([]time.Duration, len(b.up))
		began := time.Now()
		for i, r := range b.up {
			var err error
			if before[i], err = r.use(); err != nil {
				if err := b.failed(ctx, r.contender, err); err != nil {
					return err
				}
			}
		}
		if err := pause(ctx, length); err != nil {
			return err
		}
		for i, r := range b.up {
			if slices.Contains(b.gone, r.contender.name) {
				continue
			}
			after, err := r.use()
			if err != nil {
				if err := b.failed(ctx, r.contender, err); err != nil {
					return err
				}
				continue
			}
			elapsed := time.Since(began)
			b.result.Cases[0].add(r, Sample{Work: elapsed.Seconds(), CPU: after - before[i], Elapsed: elapsed})
		}
	}
	return nil
}

// pause waits, unless the run is broken off.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return errInterrupted
	case <-time.After(length):
		return nil
	}
}

func judgeQuiet(s *Scenario) {
	for _, c := range s.Cases {
		s.Verdicts = append(s.Verdicts, c.absolute(Verdict{What: "engine and keeper", Unit: " % of a core", Must: quietMust}, coreShare))
	}
}
