package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// coldScenario: a request to a service that sleeps, beside the same command started without anybody's help while the
// same client asks until it is answered. What is left is the gateway's own share of a cold start.
var coldScenario = coldOf()

// coldOf is some forms of a command; none: all that this machine can do.
func coldOf(cases ...coldCase) scenario {
	return scenario{
		name:  "cold",
		title: "cold starts",
		columns: []metric{
			{"first byte ms", p50Ms, "%.2f", less}, {"starts", starts, "%.0f", neither}, {"p99 ms", p99Ms, "%.2f", less}, {"over direct, p50 ms", over50Ms, "%.2f", less},
			{"p99 over direct's p99, ms", beyond99Ms, "%.2f", less}, {"p99 of the differences within a cycle, ms", over99Ms, "%.2f", less},
			{"CPU ms/start", cpuMsPerWork, "%.2f", less}, {"keeper CPU", keeperMs, "%.2f", less}, {"all CPU, stop", stopMs, "%.2f", less},
		},
		terms:   terms{cold: true},
		takes:   startsServices,
		apart:   "they start nothing",
		measure: func(ctx context.Context, b *bench) error { return measureCold(ctx, b) },
		judge:   judgeCold,
		cold:    cases,
	}
}

// startsServices: no gateway at all is what those that do are compared with.
func startsServices(c contender) bool { return c.starts || c.kind == kindDirect }

const (
	coldCycles  = 210
	coldMust99  = 5 // ms, of the list form
	coldMustCPU = 2 // ms of the engine per start
	coldDelay   = 100 * time.Millisecond
	coldSettle  = 60 * time.Millisecond // what a start or a stop leaves to be done afterwards: the log, the store
)

func starts(s Sample) float64     { return s.Work }
func over50Ms(s Sample) float64   { return micros(s.Over50) / 1e3 }
func beyond99Ms(s Sample) float64 { return micros(s.Beyond99) / 1e3 }
func over99Ms(s Sample) float64   { return micros(s.Over99) / 1e3 }
func keeperMs(s Sample) float64   { return micros(s.Keeper) / 1e3 / s.Work }
func stopMs(s Sample) float64     { return micros(s.Stop) / 1e3 / s.Work }

func measureCold(ctx context.Context, b *bench) error {
	shell := running{contender: contender{name: "shell loop", kind: kindOther}}
	b.up = append(b.up, shell)
	for at, c := range b.site.coldCases {
		var all []*coldTimes
		for _, r := range b.up {
			if c.form == formContainer || r.kind != kindSablier {
				all = append(all, b.site.coldTimes(r))
			}
		}
		b.result.Cases = append(b.result.Cases, Case{Name: c.name})
		err := b.coldCycles(ctx, at, all)
		keepCold(&b.result.Cases[at], all)
		if err != nil {
			return err
		}
	}
	return nil
}

// coldCycles has each contender start the service of a case once in each cycle.
func (b *bench) coldCycles(ctx context.Context, at int, all []*coldTimes) error {
	c := b.site.coldCases[at]
	cycles := b.count(c.cycles)
	for cycle := range cycles {
		if cycle%50 == 0 || b.live {
			b.say("%s, %d of %d", c.name, cycle, cycles)
		}
		for _, one := range turns(all, cycle) {
			err := one.cycle(ctx, at)
			if ctx.Err() != nil {
				return errInterrupted
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w", one.contender.name, c.name, err)
			}
		}
	}
	return nil
}

func judgeCold(s *Scenario) {
	for _, c := range s.Cases {
		for _, of := range slices.Concat(coldBasic, []coldCase{coldQuick}) {
			if of.name == c.Name && of.must > 0 {
				judgeColdCase(s, c, of)
				break
			}
		}
	}
}

func judgeColdCase(s *Scenario, c Case, of coldCase) {
	must := of.must
	if of.share > 0 {
		if direct, ok := c.find(p50, false, kindDirect); ok {
			must += of.share * direct.middle(p50Ms)
		}
	}
	verdicts := []Verdict{{What: "over direct, p50, " + c.Name, Unit: unitMs, Must: must}}
	figures := []func(Sample) float64{over50Ms}
	if of.form == formList {
		verdicts = append(verdicts, Verdict{What: "p99 over direct's p99, " + c.Name, Unit: unitMs, Must: coldMust99})
		figures = append(figures, beyond99Ms)
	}
	verdicts = append(verdicts, Verdict{What: "CPU of the engine, " + c.Name, Unit: unitMs, Must: coldMustCPU})
	figures = append(figures, cpuMsPerWork)
	for n, v := range verdicts {
		s.Verdicts = append(s.Verdicts, c.absolute(v, figures[n]))
	}
}
