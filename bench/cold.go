package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// coldScenario: a request to a service that sleeps, beside the same command started without anybody's help while the
// same client asks until it is answered. What is left is the gateway's own share of a cold start.
var coldScenario = coldOf(len(coldCases), coldCycles)

// coldOf is so many of the forms a command has, each started so often.
func coldOf(forms, cycles int) scenario {
	return scenario{
		name:  "cold",
		title: "cold starts",
		columns: []metric{
			{"first byte ms", p50Ms, "%.2f"}, {"p99 ms", p99Ms, "%.2f"}, {"over direct, p50 ms", over50Ms, "%.2f"}, {"p99 ms", over99Ms, "%.2f"},
			{"engine CPU ms/start", cpuMsPerWork, "%.2f"}, {"keeper CPU", keeperMs, "%.2f"}, {"both, stop", stopMs, "%.2f"},
		},
		terms:   terms{cold: true},
		takes:   startsServices,
		measure: func(ctx context.Context, b *bench) error { return measureCold(ctx, b, forms, cycles) },
		judge:   judgeCold,
	}
}

// startsServices: of all contenders only the engine does, and no gateway at all, which is what it is compared with.
func startsServices(c contender) bool {
	return c.kind == kindOurs || c.kind == kindDirect || c.name == besideName
}

// coldCases: must is for the median of what is beyond the start without us, in ms, beside a share of the whole.
var coldCases = []struct {
	name        string
	shell, slow bool
	must, share float64
}{
	{name: "list form", must: 1.5},
	{name: "through a shell", shell: true, must: 2.2},
	{name: "100 ms to listen", slow: true, must: 1.5, share: 0.02},
}

const (
	coldCycles  = 210
	coldMust99  = 5 // ms, of the list form
	coldMustCPU = 2 // ms of the engine per start
	coldDelay   = 100 * time.Millisecond
	coldSettle  = 60 * time.Millisecond // what a start or a stop leaves to be done afterwards: the log, the store
)

func over50Ms(s Sample) float64 { return micros(s.Over50) / 1e3 }
func over99Ms(s Sample) float64 { return micros(s.Over99) / 1e3 }
func keeperMs(s Sample) float64 { return micros(s.Keeper) / 1e3 / s.Work }
func stopMs(s Sample) float64   { return micros(s.Stop) / 1e3 / s.Work }

// coldTimes are the cycles of one contender in one case.
type coldTimes struct {
	running
	start func(ctx context.Context, at int) (time.Duration, error)
	times []time.Duration
	spent coldUse // on the starts
	ended coldUse // on the stops
}

// coldUse is what an engine has used of the CPU, and what its keeper has, with the services that are awake.
type coldUse struct{ engine, keeper time.Duration }

func (u *coldUse) add(before, after coldUse) {
	u.engine += after.engine - before.engine
	u.keeper += after.keeper - before.keeper
}

// used is what is used so far. A service that comes and goes is not among it.
func (t *coldTimes) used() (u coldUse, err error) {
	if u.engine, err = cpuTime(t.pids[:1]); err == nil {
		u.keeper, err = cpuTime(t.pids[1:])
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; %s", t.contender.name, err, t.lastWords())
	}
	return u, err
}

func measureCold(ctx context.Context, b *bench, forms, times int) error {
	var all []*coldTimes
	for _, r := range b.up {
		one := &coldTimes{running: r, start: b.site.directly}
		if r.kind != kindDirect {
			one.start = one.throughEngine
		}
		all = append(all, one)
	}
	shell := running{contender: contender{name: "shell loop", kind: kindOther}}
	b.up = append(b.up, shell)
	all = append(all, &coldTimes{running: shell, start: b.site.inShellLoop})
	for at, c := range coldCases[:forms] {
		b.result.Cases = append(b.result.Cases, Case{Name: c.name})
		cycles := b.count(times)
		for cycle := range cycles {
			if cycle%50 == 0 || b.live {
				b.say("%s, %d of %d", c.name, cycle, cycles)
			}
			for _, one := range rotate(all, cycle) {
				if ctx.Err() != nil {
					return errInterrupted
				}
				took, err := one.start(ctx, at)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", one.contender.name, c.name, err)
				}
				one.times = append(one.times, took)
			}
		}
		keepCold(&b.result.Cases[at], all)
	}
	return nil
}

// keepCold makes a sample of the cycles of each contender in a case. What is beyond the direct start is taken within each
// cycle.
func keepCold(c *Case, all []*coldTimes) {
	var direct []time.Duration
	for _, one := range all {
		if one.kind == kindDirect {
			direct = one.times
		}
	}
	for _, one := range all {
		sorted := sortedTimes(one.times)
		s := Sample{Work: float64(len(sorted)), P50: quantile(sorted, 0.5), P99: quantile(sorted, 0.99), Worst: quantile(sorted, 1),
			CPU: one.spent.engine, Keeper: one.spent.keeper, Stop: one.ended.engine + one.ended.keeper}
		if direct != nil {
			over := make([]time.Duration, len(one.times))
			for i := range over {
				over[i] = one.times[i] - direct[i]
			}
			over = sortedTimes(over)
			s.Over50, s.Over99 = quantile(over, 0.5), quantile(over, 0.99)
		}
		c.add(one.running, s)
	}
	for _, one := range all {
		one.times, one.spent, one.ended = nil, coldUse{}, coldUse{}
	}
}

// throughEngine asks the engine for a service that sleeps, and puts it to sleep again.
func (t *coldTimes) throughEngine(ctx context.Context, at int) (time.Duration, error) {
	asleep, err := t.used()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := getOnce(t.address, coldHost(at)); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := pause(ctx, coldSettle); err != nil {
		return 0, err
	}
	awake, err := t.used()
	if err == nil {
		err = t.sleep(ctx, at)
	}
	if err == nil {
		err = pause(ctx, coldSettle)
	}
	if err != nil {
		return 0, err
	}
	again, err := t.used()
	t.spent.add(asleep, awake)
	t.ended.add(awake, again)
	return took, err
}

// sleep stops the service of a case by order, and returns when it is down.
func (t *coldTimes) sleep(ctx context.Context, at int) error {
	url := fmt.Sprintf("http://%s/_dynapm/api/services/%s/stop", t.admin, coldName(at))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the engine cannot stop %s: %s", coldName(at), response.Status)
	}
	return nil
}

func judgeCold(s *Scenario) {
	for i, c := range s.Cases {
		must := coldCases[i].must
		if share := coldCases[i].share; share > 0 {
			if direct, ok := c.find(p50, false, kindDirect); ok {
				must += share * direct.middle(p50Ms)
			}
		}
		verdicts := []Verdict{{What: "over direct, p50, " + c.Name, Unit: " ms", Must: must}}
		figures := []func(Sample) float64{over50Ms}
		if i == 0 {
			verdicts = append(verdicts, Verdict{What: "over direct, p99, " + c.Name, Unit: " ms", Must: coldMust99})
			figures = append(figures, over99Ms)
		}
		verdicts = append(verdicts, Verdict{What: "CPU of the engine, " + c.Name, Unit: " ms", Must: coldMustCPU})
		figures = append(figures, cpuMsPerWork)
		for n, v := range verdicts {
			if v, ok := c.absolute(v, figures[n]); ok {
				s.Verdicts = append(s.Verdicts, v)
			}
		}
	}
}
