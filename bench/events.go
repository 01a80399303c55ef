package main

import (
	"context"
	"fmt"
)

// eventsScenario: streams of server-sent events that are held open. One variant of each server does: the second worker
// or thread changes neither the memory of a stream nor, at one event a second, when it comes.
var eventsScenario = scenario{
	name:   "sse",
	title:  "streams of events, one a second each",
	terms:  terms{stream: true, prompt: true},
	alone:  true,
	rounds: 2,
	columns: []metric{
		{"KiB/stream", memoryPerWork, "%.2f", less}, {"late p50 ms", p50Ms, "%.1f", less}, {"late p99 ms", p99Ms, "%.1f", less},
		{"latest ms", worstMs, "%.1f", less}, {"% of a core", coreShare, "%.0f", less},
	},
	takes:   func(c contender) bool { return c.name != "nginx-2" && c.name != "haproxy-2" },
	apart:   "one variant of each server is enough",
	measure: measureEvents,
	judge:   judgeEvents,
}

const (
	eventStreams     = 10000
	fewerStreams     = 4000 // where the files for the others may not be opened
	eventSeconds     = 10
	eventsAtOnce     = 100 // as many are opened at a time
	eventsMemoryMust = 4   // KiB
	eventsLateMust   = 100 // ms
)

func measureEvents(ctx context.Context, b *bench) error {
	streams := eventStreams
	if b.site.files < manyFiles {
		streams = fewerStreams
		b.result.Notes = append(b.result.Notes, fmt.Sprintf("%d streams in place of %d: no process may open more than %d files here",
			fewerStreams, eventStreams, b.site.files))
	}
	streams = b.count(streams)
	seconds := b.count(eventSeconds)
	return b.eachRound(ctx, []string{plural(streams, "stream")}, func(_ int, r running) (Sample, error) {
		return holdEvents(ctx, r, streams, seconds)
	})
}

// holdEvents opens streams, and listens for a while when all are there.
func holdEvents(ctx context.Context, r running, n, seconds int) (Sample, error) {
	warmth, err := closedLoop(ctx, r, smallRequest, eventsAtOnce, eventsAtOnce*10, false)
	if err != nil {
		return Sample{}, err
	}
	before, err := memoryOf(r.pids)
	if err != nil {
		return Sample{}, err
	}
	l, err := openListeners(ctx, r.address, n)
	if err != nil {
		return Sample{}, err
	}
	defer l.close()
	used, err := r.use()
	if err != nil {
		return Sample{}, err
	}
	if err := l.listen(ctx, seconds); err != nil {
		return Sample{}, err
	}
	usedAfter, err := r.use()
	if err != nil {
		return Sample{}, err
	}
	after, err := memoryOf(r.pids)
	if err != nil {
		return Sample{}, err
	}
	sample := l.outcome.sample(float64(n), usedAfter-used)
	sample.Errors = merged(sample.Errors, warmth.Errors)
	if r.kind != kindDirect {
		sample.Memory = after.resident - before.resident
	}
	return sample, nil
}

func judgeEvents(s *Scenario) {
	for _, c := range s.Cases {
		if direct, ok := c.find(worstMs, false, kindDirect); ok && direct.middle(worstMs) > eventsLateMust {
			s.Notes = append(s.Notes, fmt.Sprintf("without a proxy, too, an event came %.0f ms late: the machine had no CPU left",
				direct.middle(worstMs)))
		}
		s.Verdicts = append(s.Verdicts, c.absolute(Verdict{What: "growth for each stream", Unit: " KiB", Must: eventsMemoryMust}, memoryPerWork))
		s.Verdicts = append(s.Verdicts, c.absolute(Verdict{What: "the latest event", Unit: unitMs, Must: eventsLateMust}, worstMs))
	}
}
