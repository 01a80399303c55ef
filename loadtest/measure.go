package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

const (
	slicePairs  = 20 // of a comparison
	seriesSteps = 60 // points of a series, where the duration is known
)

// measured is one target of a run, with its clients.
type measured struct {
	*target
	gen     *generator
	total   *recorder
	elapsed time.Duration
}

// measure makes requests to one target, or to two in turns.
func (r *run) measure(ctx context.Context, open bool) error {
	var targets []*measured
	defer func() {
		for _, m := range targets {
			m.gen.close()
		}
	}()
	for _, url := range r.urls() {
		m, err := r.prepare(ctx, url, open)
		if err != nil {
			return err
		}
		targets = append(targets, m)
	}
	if ctx.Err() != nil {
		return errNothing
	}
	var err error
	r.meter.while(func() {
		if len(targets) == 1 {
			err = r.whole(ctx, targets[0], open)
		} else {
			err = r.inTurns(ctx, targets, open)
		}
	})
	for _, m := range targets {
		r.report.Results = append(r.report.Results, resultOf(m.target, m.total, m.elapsed))
	}
	if len(targets) == 2 {
		r.report.Ratios = ratiosOf(r.report.Results[0].Series, r.report.Results[1].Series, open, "-url by -compare")
	}
	return err
}

// prepare learns what a target answers, opens the connections and warms them up.
func (r *run) prepare(ctx context.Context, url string, open bool) (*measured, error) {
	t, err := newTarget(url, r.host)
	if err != nil {
		return nil, err
	}
	if err := r.learn(ctx, t); err != nil {
		return nil, err
	}
	m := &measured{target: t}
	if m.gen, err = newGenerator(t, r.clients, nil); err != nil {
		return nil, err
	}
	m.total = newRecorder(time.Now(), 0)
	if err := m.gen.connect(ctx); err != nil {
		m.gen.close()
		return nil, fmt.Errorf("cannot connect to %s: %w", url, err)
	}
	if r.warmup > 0 {
		now := time.Now()
		err = m.gen.run(ctx, r.pacer(open, bound{duration: r.warmup}), newRecorder(now, 0), now)
	}
	if err != nil {
		m.gen.close()
	}
	return m, err
}

// learn asks twice. If both bodies are the same, it is what every reply must bring; if not, only their form is
// checked, and the report says so.
func (r *run) learn(ctx context.Context, t *target) error {
	var first, second []byte
	for _, into := range []*[]byte{&first, &second} {
		if err := fetch(ctx, t, into); err != nil {
			return err
		}
	}
	if bytes.Equal(first, second) {
		t.expect = &body{first}
	} else {
		r.varied = append(r.varied, t.host)
	}
	return nil
}

// tellVaried says, once for all hosts, that bodies were not compared.
func (r *run) tellVaried() {
	switch n := len(r.varied); n {
	case 0:
	case 1:
		r.note("what %s answers differs from reply to reply, so bodies were not compared", r.varied[0])
	default:
		r.note("what %d hosts answer, the first of them %s, differs from reply to reply, so their bodies were not compared", n, r.varied[0])
	}
}

// fetch makes one request on a connection of its own.
func fetch(ctx context.Context, t *target, into *[]byte) error {
	asked := *t
	asked.sink = into
	gen, err := newGenerator(&asked, 1, nil)
	if err != nil {
		return err
	}
	defer gen.close()
	now := time.Now()
	rec := newRecorder(now, 0)
	if err := gen.run(ctx, closedLoop{bound{requests: 1}}, rec, now); err != nil {
		return err
	}
	for kind := range rec.errors {
		return fmt.Errorf("%s does not answer as it should, before anything was measured: %s", t.url, kind)
	}
	if rec.count() == 0 {
		return errNothing
	}
	return nil
}

// whole measures one target from end to end.
func (r *run) whole(ctx context.Context, m *measured, open bool) error {
	step := time.Second
	if r.duration > 0 {
		step = max(r.duration/seriesSteps, 50*time.Millisecond)
	}
	began := time.Now()
	m.total = newRecorder(began, step)
	m.gen.tick = func(now time.Time) { r.progress.show(now, m.total) }
	err := m.gen.run(ctx, r.pacer(open, bound{r.duration, r.requests}), m.total, began)
	end := time.Now()
	m.elapsed = end.Sub(began)
	m.total.finish(end)
	return err
}

// inTurns measures two targets in short slices, one after the other, and turns the order in each pair: what the
// machine does beside it then meets both.
func (r *run) inTurns(ctx context.Context, targets []*measured, open bool) error {
	part := bound{r.duration / (2 * slicePairs), (r.requests + slicePairs - 1) / slicePairs}
	began := time.Now()
	for pair := range slicePairs {
		for i := range targets {
			m := targets[(i+pair)%2]
			if err := r.slice(ctx, m, part, open, began); err != nil || ctx.Err() != nil {
				return err
			}
		}
		r.progress.pair(pair + 1)
	}
	return nil
}

// slice is one turn of a target.
func (r *run) slice(ctx context.Context, m *measured, part bound, open bool, began time.Time) error {
	now := time.Now()
	rec := newRecorder(now, 0)
	err := m.gen.run(ctx, r.pacer(open, part), rec, now)
	end := time.Now()
	m.elapsed += end.Sub(now)
	m.total.merge(rec)
	// A slice that was cut off is in the total and not among those that are compared.
	if ctx.Err() == nil {
		m.total.points = append(m.total.points, pointOf(rec.latency, end.Sub(began), end.Sub(now), rec.failed))
	}
	return err
}
