package loadtest

import (
	"context"
	"fmt"
	"time"
)

// herd wakes a sleeping service with many requests at once, again and again: each must be answered, and there must be
// one start.
func (r *run) herd(ctx context.Context) error {
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
		took, err := r.herdOnce(ctx, t, r.clients, rec)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
		requests += took
		after, err := admin.inspect(ctx)
		if err != nil {
			return err
		}
		herd := Herd{r.clients, rec.latency.TotalCount(), after.StartCount - before.StartCount, millis(rec.latency.Max())}
		if herd.Starts != 1 {
			rec.fail(fmt.Sprintf("%d starts for one herd", herd.Starts), time.Now(), 1)
		}
		r.report.Herds = append(r.report.Herds, herd)
		total.merge(rec)
		total.points = append(total.points, pointOf(rec.latency, time.Since(began), took, rec.failed))
		r.progress.step("herd", n+1, r.requests)
	}
	if total.count() == 0 {
		return errNothing
	}
	r.report.Results = []Result{resultOf(t, total, requests)}
	return nil
}

// herdOnce makes one request on each of a number of new connections, all at the same time. Those of a herd are opened
// before; that of a single client is part of what it waits for.
func (r *run) herdOnce(ctx context.Context, t *target, clients int, rec *recorder) (time.Duration, error) {
	gen, err := newGenerator(t, clients, nil)
	if err != nil {
		return 0, err
	}
	defer gen.close()
	if clients > 1 {
		if err := gen.connect(ctx); err != nil {
			return 0, err
		}
	}
	var took time.Duration
	r.meter.while(func() {
		began := time.Now()
		err = gen.run(ctx, closedLoop{bound{requests: int64(clients)}}, rec, began)
		took = time.Since(began)
	})
	return took, err
}
