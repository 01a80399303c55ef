package main

import (
	"context"
	"fmt"
	"time"
)

// coldTimes are the starts of one contender in one case, one a cycle.
type coldTimes struct {
	running
	site   *site
	start  func(ctx context.Context, at int) (coldStart, error)
	starts []coldStart
}

// coldStart is one start of a service, and the stop that followed.
type coldStart struct {
	took   time.Duration
	failed string  // what went wrong: then the time says nothing
	spent  coldUse // on the start
	ended  coldUse // on the stop
}

// coldUse is what a gateway has used of the CPU, and what the engine's keeper has, with the services that are awake; of
// a direct start it is what the service has.
type coldUse struct{ gateway, keeper time.Duration }

func (u coldUse) since(before coldUse) coldUse {
	return coldUse{u.gateway - before.gateway, u.keeper - before.keeper}
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

// coldTimes makes ready to measure a contender.
func (s *site) coldTimes(r running) *coldTimes {
	t := &coldTimes{running: r, site: s}
	switch {
	case r.kind == kindDirect:
		t.start = s.directly
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
	if ctx.Err() != nil {
		return errInterrupted
	}
	start, err := t.start(ctx, at)
	if err != nil {
		if ctx.Err() != nil || t.kind == kindOurs || t.kind == kindDirect {
			return err
		}
		start.failed = kindOf(err)
	}
	t.starts = append(t.starts, start)
	return nil
}

// keepCold makes a sample of the cycles of each contender in a case, of those that all have been through: the last one
// may have been broken off.
func keepCold(c *Case, all []*coldTimes) {
	whole := len(all[0].starts)
	var direct []coldStart
	for _, one := range all {
		whole = min(whole, len(one.starts))
		if one.kind == kindDirect {
			direct = one.starts
		}
	}
	if whole == 0 {
		return
	}
	for _, one := range all {
		one.starts = one.starts[:whole]
		c.add(one.running, one.sample(direct))
	}
}

// sample compares with the direct starts in two ways. The difference within each cycle has the scatter of both; its
// median is the gateway's share, but its 99th percentile has as much to do with a quick direct start as with a slow one
// of the gateway. The difference of the two percentiles is what somebody has to wait for more, one time in a hundred.
func (t *coldTimes) sample(direct []coldStart) Sample {
	s := Sample{Work: float64(len(t.starts))}
	var good, over, without []time.Duration
	for i, start := range t.starts {
		s.CPU += start.spent.gateway
		s.Keeper += start.spent.keeper
		s.Stop += start.ended.gateway + start.ended.keeper
		if direct != nil {
			without = append(without, direct[i].took)
		}
		if start.failed != "" {
			s.Errors = merged(s.Errors, map[string]int{start.failed: 1})
			continue
		}
		good = append(good, start.took)
		if direct != nil {
			over = append(over, start.took-direct[i].took)
		}
	}
	good, over = sortedTimes(good), sortedTimes(over)
	s.P50, s.P99, s.Worst = quantile(good, 0.5), quantile(good, 0.99), quantile(good, 1)
	s.Over50, s.Over99 = quantile(over, 0.5), quantile(over, 0.99)
	if direct != nil {
		s.Beyond99 = s.P99 - quantile(sortedTimes(without), 0.99)
	}
	return s
}
