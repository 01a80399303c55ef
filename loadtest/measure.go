package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
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

// measure makes requests to one target, or to two in turns. prepare makes each of them ready.
func (r *run) measure(ctx context.Context, open bool, prepare func(context.Context, int) (*measured, error)) error {
	var targets []*measured
	defer func() {
		for _, m := range targets {
			m.gen.close()
		}
	}()
	for n := range r.urls() {
		m, err := prepare(ctx, n)
		if err != nil {
			return err
		}
		targets = append(targets, m)
		if err := r.warm(ctx, m, open); err != nil {
			return err
		}
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
		r.tellCutShort(m.gen)
	}
	r.compareResults(latencyOf(open))
	return err
}

// prepare learns what a target answers.
func (r *run) prepare(ctx context.Context, n int) (*measured, error) {
	t, err := r.target(n)
	if err != nil {
		return nil, err
	}
	if err := r.learn(ctx, t); err != nil {
		return nil, err
	}
	gen, err := r.generator(t, r.clients, nil)
	return &measured{target: t, gen: gen}, err
}

// generator makes one with the patience of the run.
func (r *run) generator(t *target, clients int, ask func() *target) (*generator, error) {
	g, err := newGenerator(t, clients, ask)
	if err == nil {
		g.patience = r.patience
	}
	return g, err
}

// warm opens the connections and asks for a while.
func (r *run) warm(ctx context.Context, m *measured, open bool) error {
	m.total = newRecorder(time.Now(), 0)
	if err := m.gen.connect(ctx); err != nil {
		return fmt.Errorf("cannot connect to %s: %w", m.url, err)
	}
	if r.warmup == 0 {
		return nil
	}
	now := time.Now()
	return m.gen.run(ctx, r.pacer(open, bound{duration: r.warmup}), newRecorder(now, 0), now)
}

// mostLearned bounds the bodies that are kept, of all hosts together.
const mostLearned = 256 << 20

// learn asks twice. If both bodies are the same, it is what every reply must bring; if not, only their form is
// checked, and the report says so. With -expect there is nothing to learn but whether it answers at all.
func (r *run) learn(ctx context.Context, t *target) error {
	var bodies [2][]byte
	t.expect = r.expect
	for n := range bodies {
		status, err := r.fetch(ctx, t, &bodies[n])
		if err != nil {
			return err
		}
		if n == 0 && status >= 300 {
			r.remark(t.host, fmt.Sprintf("it answers with status %d; a redirect is measured, not followed", status))
		}
		if t.expect != nil {
			return nil
		}
	}
	switch size := int64(len(bodies[0])); {
	case !bytes.Equal(bodies[0], bodies[1]):
		r.remark(t.host, "what it answers differs from reply to reply, so bodies were not compared")
	case size > mostBody || r.learned+size > mostLearned:
		r.remark(t.host, "what it answers is too large to be kept, so bodies were not compared")
	default:
		r.learned += size
		t.expect = &body{bodies[0]}
	}
	return nil
}

// fetch makes one request on a connection of its own, and gives the status of the reply.
func (r *run) fetch(ctx context.Context, t *target, into *[]byte) (int, error) {
	asked := *t
	asked.sink = into
	gen, err := r.generator(&asked, 1, nil)
	if err != nil {
		return 0, err
	}
	defer gen.close()
	now := time.Now()
	rec := newRecorder(now, 0)
	c := gen.free[0]
	if err := gen.run(ctx, closedLoop{bound{requests: 1}}, rec, now); err != nil {
		return 0, err
	}
	for kind := range rec.errors {
		err := fmt.Errorf("%s does not answer as it should, before anything was measured: %s", t.url, kind)
		if strings.Contains(kind, "x509: ") {
			err = fmt.Errorf("%w (-cacert FILE says whom to trust; -insecure trusts anybody)", err)
		}
		return 0, err
	}
	if rec.count() == 0 {
		return 0, errNothing
	}
	return c.reply.status, nil
}

// tellCutShort says what was in flight when the run was interrupted, which is in no count.
func (r *run) tellCutShort(g *generator) {
	if g.cutShort > 0 {
		r.note("when it was interrupted, %d requests had no answer yet, the first of them due %s before",
			g.cutShort, ms(millis(int64(time.Since(g.oldestDue)))))
	}
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
