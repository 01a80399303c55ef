package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
			{"first byte ms", p50Ms, "%.2f", less}, {"p99 ms", p99Ms, "%.2f", less}, {"over direct, p50 ms", over50Ms, "%.2f", less},
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

func over50Ms(s Sample) float64   { return micros(s.Over50) / 1e3 }
func beyond99Ms(s Sample) float64 { return micros(s.Beyond99) / 1e3 }
func over99Ms(s Sample) float64   { return micros(s.Over99) / 1e3 }
func keeperMs(s Sample) float64   { return micros(s.Keeper) / 1e3 / s.Work }
func stopMs(s Sample) float64     { return micros(s.Stop) / 1e3 / s.Work }

// coldTimes are the cycles of one contender in one case.
type coldTimes struct {
	running
	site   *site
	start  func(ctx context.Context, at int) (time.Duration, error)
	times  []time.Duration // of a start that failed: failedStart
	errors map[string]int
	spent  coldUse // on the starts
	ended  coldUse // on the stops
}

const failedStart = -1

// coldUse is what a gateway has used of the CPU, and what the engine's keeper has, with the services that are awake; of
// a direct start it is what the service has.
type coldUse struct{ gateway, keeper time.Duration }

func (u *coldUse) add(before, after coldUse) {
	u.gateway += after.gateway - before.gateway
	u.keeper += after.keeper - before.keeper
}

// used is what is used so far. A service that comes and goes is not among it.
func (t *coldTimes) used() (u coldUse, err error) {
	gateway := t.pids
	if t.ourOwn() {
		gateway = t.pids[:1]
		u.keeper, err = cpuTime(t.pids[1:])
	}
	if err == nil {
		u.gateway, err = cpuTime(gateway)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; %s", t.contender.name, err, t.lastWords())
	}
	return u, err
}

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
		cycles := b.count(c.cycles)
		for cycle := range cycles {
			if cycle%50 == 0 || b.live {
				b.say("%s, %d of %d", c.name, cycle, cycles)
			}
			for _, one := range turns(all, cycle) {
				if ctx.Err() != nil {
					return errInterrupted
				}
				if err := one.cycle(ctx, at); err != nil {
					return fmt.Errorf("%s, %s: %w", one.contender.name, c.name, err)
				}
			}
		}
		keepCold(&b.result.Cases[at], all)
	}
	return nil
}

// coldTimes makes ready to measure a contender.
func (s *site) coldTimes(r running) *coldTimes {
	t := &coldTimes{running: r, site: s}
	switch {
	case r.kind == kindDirect:
		t.start = t.directly
	case r.starts:
		t.start = t.throughGateway
	default:
		t.start = s.inShellLoop
	}
	return t
}

// cycle starts the service of a case once. Of ours and of the start without anybody's help a failure ends the run; of
// others it is counted.
func (t *coldTimes) cycle(ctx context.Context, at int) error {
	took, err := t.start(ctx, at)
	if err != nil {
		if ctx.Err() != nil || t.kind == kindOurs || t.kind == kindDirect {
			return err
		}
		if t.errors == nil {
			t.errors = map[string]int{}
		}
		t.errors[kindOf(err)]++
		took = failedStart
	}
	t.times = append(t.times, took)
	return nil
}

// keepCold makes a sample of the cycles of each contender in a case.
func keepCold(c *Case, all []*coldTimes) {
	var direct []time.Duration
	for _, one := range all {
		if one.kind == kindDirect {
			direct = one.times
		}
	}
	for _, one := range all {
		c.add(one.running, one.sample(direct))
	}
}

// sample compares with the direct starts in two ways. The difference within each cycle has the scatter of both; its
// median is the gateway's share, but its 99th percentile has as much to do with a quick direct start as with a slow one
// of the gateway. The difference of the two percentiles is what somebody has to wait for more, one time in a hundred.
func (t *coldTimes) sample(direct []time.Duration) Sample {
	var good, over []time.Duration
	for i, took := range t.times {
		if took == failedStart {
			continue
		}
		good = append(good, took)
		if direct != nil {
			over = append(over, took-direct[i])
		}
	}
	good, over = sortedTimes(good), sortedTimes(over)
	s := Sample{Work: float64(len(t.times)), P50: quantile(good, 0.5), P99: quantile(good, 0.99), Worst: quantile(good, 1),
		CPU: t.spent.gateway, Keeper: t.spent.keeper, Stop: t.ended.gateway + t.ended.keeper, Errors: t.errors,
		Over50: quantile(over, 0.5), Over99: quantile(over, 0.99)}
	if direct != nil {
		s.Beyond99 = s.P99 - quantile(sortedTimes(direct), 0.99)
	}
	return s
}

// throughGateway asks a gateway for a service that sleeps, and puts it to sleep again.
func (t *coldTimes) throughGateway(ctx context.Context, at int) (time.Duration, error) {
	asleep, err := t.used()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	wrong := getOnce(t.address, coldHost(at))
	took := time.Since(began)
	if err := pause(ctx, coldSettle); err != nil {
		return 0, err
	}
	awake, err := t.used()
	if err == nil {
		err = t.sleep(ctx, at)
	}
	if err == nil {
		err = untilFree(ctx, t.site.cold[at])
	}
	if err == nil {
		err = pause(ctx, coldSettle)
	}
	if err != nil {
		return 0, errors.Join(wrong, err)
	}
	again, err := t.used()
	t.spent.add(asleep, awake)
	t.ended.add(awake, again)
	return took, errors.Join(wrong, err)
}

// sleep stops the service of a case, and returns when it is down: by order, or where a gateway takes none by hand.
func (t *coldTimes) sleep(ctx context.Context, at int) error {
	if t.kind == kindSablier {
		return t.site.stopContainer(ctx, at)
	}
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
		return fmt.Errorf("%s cannot stop %s: %s", t.contender.name, coldName(at), response.Status)
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
	verdicts := []Verdict{{What: "over direct, p50, " + c.Name, Unit: " ms", Must: must}}
	figures := []func(Sample) float64{over50Ms}
	if of.form == formList {
		verdicts = append(verdicts, Verdict{What: "p99 over direct's p99, " + c.Name, Unit: " ms", Must: coldMust99})
		figures = append(figures, beyond99Ms)
	}
	verdicts = append(verdicts, Verdict{What: "CPU of the engine, " + c.Name, Unit: " ms", Must: coldMustCPU})
	figures = append(figures, cpuMsPerWork)
	for n, v := range verdicts {
		s.Verdicts = append(s.Verdicts, c.absolute(v, figures[n]))
	}
}
