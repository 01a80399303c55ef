package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// errInterrupted ends a run that the user broke off.
var errInterrupted = errors.New("interrupted")

// options are what the command line says about how to measure.
type options struct {
	rounds   int
	scale    float64 // of the fixed numbers
	progress io.Writer
	live     bool // progress is a terminal: one line, and each contender on it
}

// count scales a fixed number of requests.
func (o options) count(n int) int { return max(1, int(math.Round(float64(n)*o.scale))) }

// scenario is something that is done to all contenders.
type scenario struct {
	name    string
	title   string
	terms   terms
	rounds  int  // at most; 0: as many as asked for
	alone   bool // each contender is started anew for each measurement, and none is up beside it
	columns []metric
	takes   func(contender) bool
	apart   string // why the others are not taken
	cold    []coldCase
	measure func(ctx context.Context, b *bench) error
	judge   func(s *Scenario)
}

// scenarios are all there are, in the order in which they are run.
func scenarios() []scenario {
	return []scenario{smallScenario, freshScenario, largeScenario, memoryScenario, idleScenario, eventsScenario, quietScenario, coldScenario}
}

// quickScenarios are those of the short run, which says what there is to say in about a minute.
func quickScenarios() []scenario {
	small := smallCases[1]
	small.requests /= 2
	return []scenario{smallOf([]smallCase{small}), coldOf(coldQuick)}
}

// bench is one scenario being measured.
type bench struct {
	options
	scenario
	site   *site
	up     []running
	gone   []string // who failed
	result *Scenario
}

// run measures a scenario. What was measured before it was broken off is in the result all the same.
func (sc scenario) run(ctx context.Context, s *site, chosen []contender, o options) (*Scenario, error) {
	b := &bench{options: o, scenario: sc, site: s, result: &Scenario{Name: sc.name, Title: sc.title, Load: loadOfMinute()}}
	if sc.rounds > 0 {
		b.options.rounds = min(o.rounds, sc.rounds)
	}
	if sc.terms.cold {
		if err := b.prepareCold(ctx, chosen); err != nil {
			return b.result, err
		}
	}
	defer func() { endAll(b.up) }()
	if err := b.bring(ctx, b.take(chosen)); err != nil {
		return b.result, err
	}
	defer b.hush()
	err := sc.measure(ctx, b)
	for i := range b.result.Cases {
		b.result.Cases[i].arrange(b.up)
	}
	sc.judge(b.result)
	b.result.disturb(runtime.NumCPU())
	return b.result, err
}

// take is who takes part; who does not is named.
func (b *bench) take(chosen []contender) (taken []contender) {
	var apart []string
	for _, c := range chosen {
		switch {
		case c.kind == kindSablier && !b.terms.cold:
		case b.takes == nil || b.takes(c):
			taken = append(taken, c)
		case c.kind != kindDirect:
			apart = append(apart, c.name)
		}
	}
	if len(apart) > 0 {
		b.note("not in it: %s (%s)", strings.Join(apart, ", "), b.apart)
	}
	return taken
}

func (b *bench) note(format string, args ...any) {
	b.result.Notes = append(b.result.Notes, fmt.Sprintf(format, args...))
}

// prepareCold has the site make ready for the cases of the cold starts.
func (b *bench) prepareCold(ctx context.Context, chosen []contender) error {
	cases := b.cold
	if cases == nil {
		var notes []string
		cases, notes = coldCasesHere(slices.ContainsFunc(chosen, func(c contender) bool { return c.kind == kindSablier }))
		b.result.Notes = append(b.result.Notes, notes...)
	}
	return b.site.prepareCold(ctx, cases)
}

// bring starts the contenders, unless each is to be alone.
func (b *bench) bring(ctx context.Context, taken []contender) error {
	if !b.alone {
		b.say("starting %d contenders", len(taken))
	}
	for _, c := range taken {
		up := running{contender: c}
		if !b.alone {
			var err error
			if up.process, err = b.site.start(ctx, c, b.terms); err != nil {
				if err := b.failed(ctx, c, err); err != nil {
					return err
				}
				continue
			}
		}
		b.up = append(b.up, up)
	}
	return nil
}

// failed handles a contender that cannot be measured. Without ours, or without what all are compared with, there is
// nothing to find out; any other is said to have failed, and the run goes on.
func (b *bench) failed(ctx context.Context, c contender, err error) error {
	if ctx.Err() != nil || errors.Is(err, errInterrupted) {
		return errInterrupted
	}
	if c.kind == kindOurs || c.kind == kindDirect {
		return err
	}
	b.result.Failed = append(b.result.Failed, fmt.Sprintf("%s: %v", c.name, err))
	b.gone = append(b.gone, c.name)
	return nil
}

// say tells what is going on.
func (b *bench) say(format string, args ...any) {
	line := b.name + ": " + fmt.Sprintf(format, args...)
	if b.live {
		fmt.Fprint(b.progress, "\r\x1b[K", line)
	} else {
		fmt.Fprintln(b.progress, line)
	}
}

// hush takes the line of progress away.
func (b *bench) hush() {
	if b.live {
		fmt.Fprint(b.progress, "\r\x1b[K")
	}
}

// eachRound has every contender measured once in each case of each round, in an order that is another one each
// time.
func (b *bench) eachRound(ctx context.Context, cases []string, measure func(at int, r running) (Sample, error)) error {
	first := len(b.result.Cases)
	for _, name := range cases {
		b.result.Cases = append(b.result.Cases, Case{Name: name})
	}
	rounds := b.options.rounds
	for round := range rounds {
		for at, name := range cases {
			if !b.live {
				b.say("round %d of %d, %s", round+1, rounds, name)
			}
			for _, r := range turns(b.up, round+at) {
				if ctx.Err() != nil {
					return errInterrupted
				}
				if slices.Contains(b.gone, r.contender.name) {
					continue
				}
				if b.live {
					b.say("round %d of %d, %s, %s", round+1, rounds, name, r.contender.name)
				}
				sample, err := b.visit(ctx, r, func(r running) (Sample, error) { return measure(at, r) })
				if err != nil {
					if err := b.failed(ctx, r.contender, fmt.Errorf("%s: %w", name, err)); err != nil {
						return fmt.Errorf("%s: %w", r.contender.name, err)
					}
					continue
				}
				if sample.Work > 0 {
					b.result.Cases[first+at].add(r, sample)
				}
			}
		}
	}
	return nil
}

// visit measures a contender, which is started for it if it is to be alone.
func (b *bench) visit(ctx context.Context, r running, measure func(running) (Sample, error)) (Sample, error) {
	if !b.alone {
		return measure(r)
	}
	p, err := b.site.start(ctx, r.contender, b.terms)
	if err != nil {
		return Sample{}, err
	}
	up := running{r.contender, p}
	defer endAll([]running{up})
	return measure(up)
}

// closedLoop measures a fixed number of requests after some that warm everything up.
func closedLoop(ctx context.Context, r running, ask request, clients, requests int, fresh bool) (Sample, error) {
	l, err := openLoad(r.address, ask, clients, fresh)
	if err != nil {
		return Sample{}, err
	}
	defer l.close()
	warmth, err := l.run(ctx, max(clients, requests/20))
	if err != nil {
		return Sample{}, err
	}
	before, err := r.use()
	if err != nil {
		return Sample{}, err
	}
	o, err := l.run(ctx, requests)
	if err != nil {
		return Sample{}, err
	}
	after, err := r.use()
	if err != nil {
		return Sample{}, err
	}
	for kind, n := range warmth.Errors {
		o.fail(kind, n)
	}
	return o.sample(float64(requests), after-before), nil
}

// sample makes a sample of what came of some requests.
func (o *outcome) sample(work float64, cpu time.Duration) Sample {
	sorted := sortedTimes(o.Latencies)
	return Sample{
		Work: work, CPU: cpu, Elapsed: o.Elapsed, Generator: o.Generator, Errors: o.Errors,
		P50: quantile(sorted, 0.5), P99: quantile(sorted, 0.99), Worst: quantile(sorted, 1),
	}
}

func scenarioNames() string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}
