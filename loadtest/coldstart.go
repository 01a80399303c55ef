package loadtest

import (
	"context"
	"fmt"
	"time"
)

// coldstart wakes a service again and again, with one request on a new connection each time.
func (r *run) coldstart(ctx context.Context) error {
	t, admin, err := r.sleeper(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	total := newRecorder(began, 0)
	var requests time.Duration
	for n := range int(r.requests) {
		before, err := admin.sleep(ctx, r.idle)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		rec := newRecorder(time.Now(), 0)
		took, err := r.herdOnce(ctx, t, 1, rec)
		if err != nil {
			return err
		}
		requests += took
		total.merge(rec)
		if rec.failed == 0 && rec.count() == 1 {
			total.points = append(total.points, pointOf(rec.latency, time.Since(began), took, 0))
			r.report.ColdStarts = append(r.report.ColdStarts, admin.breakDown(ctx, before.StartCount, millis(rec.latency.Max())))
		}
		r.progress.step("cold start", n+1, r.requests)
	}
	if total.count() == 0 {
		return errNothing
	}
	r.report.Results = []Result{resultOf(t, total, requests)}
	return nil
}

// sleeper is the target of a scenario in which a service sleeps, and the admin API that knows it.
func (r *run) sleeper(ctx context.Context) (*target, *gateway, error) {
	t, err := newTarget(r.url, r.host)
	if err != nil {
		return nil, nil, err
	}
	admin, err := r.gateway(t)
	if err != nil {
		return nil, nil, err
	}
	s, err := admin.inspect(ctx)
	if err != nil {
		return nil, nil, err
	}
	if s.ProxyOnly {
		return nil, nil, fmt.Errorf("service %s is only proxied (proxyOnly), and never sleeps", admin.service)
	}
	return t, admin, r.learn(ctx, t)
}

// breakDown divides the time that the client saw, as far as the engine tells.
func (g *gateway) breakDown(ctx context.Context, before int, total float64) Cold {
	s, err := g.told(ctx, before)
	if err != nil {
		return Cold{Total: total}
	}
	return coldOf(s.LastStart, total)
}

// coldOf takes each step from the one before. What the engine did not see is part of the next; what is not in its
// clock at all is around it.
func coldOf(c *clock, total float64) Cold {
	out, last := Cold{Total: total, Known: true}, 0.0
	for _, step := range []struct {
		at   *float64
		into *float64
	}{{c.Launched, &out.Launch}, {c.Listening, &out.Listen}, {c.Ready, &out.Ready}, {c.Connected, &out.Connect}, {c.FirstByte, &out.FirstByte}} {
		if step.at != nil && *step.at > last {
			*step.into = *step.at - last
			last = *step.at
		}
	}
	out.Around = max(total-last, 0)
	return out
}
