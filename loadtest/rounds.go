package loadtest

import (
	"context"
	"fmt"
	"time"
)

// sleeper is a service that sleeps, the admin API that knows it, and what came of waking it.
type sleeper struct {
	*target
	admin *gateway
	total *recorder
	took  time.Duration

	coldStarts []Cold
	herds      []Herd
}

// rounds puts a service to sleep and wakes it, again and again; two take turns, and the one that is first changes.
// judge says what a round has shown that was not interrupted.
func (r *run) rounds(ctx context.Context, of quantity, judge func(context.Context, *sleeper, round) error) error {
	services, err := r.sleepers(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for n := int64(0); n < r.requests && err == nil && ctx.Err() == nil; n++ {
		for i := range services {
			if err == nil && ctx.Err() == nil {
				err = r.round(ctx, services[(i+int(n))%len(services)], began, judge)
			}
		}
		r.progress.step("round", int(n+1), r.requests)
	}
	measured := false
	for _, s := range services {
		measured = measured || s.total.count() > 0
	}
	if !measured {
		if err == nil {
			err = errNothing
		}
		return err
	}
	for _, s := range services {
		result := resultOf(s.target, s.total, s.took)
		result.ColdStarts, result.Herds = s.coldStarts, s.herds
		r.report.Results = append(r.report.Results, result)
	}
	r.compareResults([]quantity{of})
	return err
}

// round is one of them, of one service.
type round struct {
	*recorder
	before status
}

func (r *run) round(ctx context.Context, s *sleeper, began time.Time, judge func(context.Context, *sleeper, round) error) error {
	r.progress.say("waiting for %s to sleep", s.admin.service)
	before, err := s.admin.sleep(ctx, r.idle)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	rec := newRecorder(time.Now(), 0)
	took, err := r.together(ctx, s.target, rec)
	if err == nil && ctx.Err() == nil {
		err = judge(ctx, s, round{rec, before})
	}
	s.took += took
	s.total.merge(rec)
	if ctx.Err() != nil {
		return nil // it was cut off, and is not among those that are compared
	}
	// A round in which nothing was answered has a point too: pairs must stay pairs.
	s.total.points = append(s.total.points, pointOf(rec.latency, time.Since(began), took, rec.failed))
	return err
}

// sleepers are the services of the run, awake.
func (r *run) sleepers(ctx context.Context) ([]*sleeper, error) {
	var out []*sleeper
	for n := range r.urls() {
		t, err := r.target(n)
		if err != nil {
			return nil, err
		}
		admin, err := r.gateway(t, n)
		if err != nil {
			return nil, err
		}
		s, err := admin.inspect(ctx)
		if err != nil {
			return nil, err
		}
		if s.ProxyOnly {
			return nil, fmt.Errorf("service %s is only proxied (proxyOnly), and never sleeps", admin.service)
		}
		if err := r.learn(ctx, t); err != nil {
			return nil, err
		}
		out = append(out, &sleeper{target: t, admin: admin, total: newRecorder(time.Now(), 0)})
	}
	return out, nil
}

// together makes one request on each of a number of new connections, all at the same time. Those of a herd are opened
// before; that of a single client is part of what it waits for.
func (r *run) together(ctx context.Context, t *target, rec *recorder) (time.Duration, error) {
	gen, err := r.generator(t, r.clients, nil)
	if err != nil {
		return 0, err
	}
	defer gen.close()
	if r.clients > 1 {
		if err := gen.connect(ctx); err != nil {
			return 0, err
		}
	}
	var took time.Duration
	r.meter.while(func() {
		began := time.Now()
		err = gen.run(ctx, closedLoop{bound{requests: int64(r.clients)}}, rec, began)
		took = time.Since(began)
	})
	r.tellCutShort(gen)
	return took, err
}
