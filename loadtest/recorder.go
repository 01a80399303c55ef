package loadtest

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept to three digits between a tenth of a microsecond and an hour.
const (
	finest  = 100 * time.Nanosecond
	longest = time.Hour
	digits  = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(finest), int64(longest), digits)
}

// recorder keeps what came of requests: the latency of the good ones, and the others by kind of error. A request is
// one or the other, so nothing is dropped. It has one user at a time.
type recorder struct {
	latency *hdrhistogram.Histogram
	errors  map[string]int64
	failed  int64

	step   time.Duration // of the series; 0: there is none
	recent *hdrhistogram.Histogram
	faults int64     // within the step
	from   time.Time // of the first step
	edge   time.Time // the end of the step
	points []Point
}

// newRecorder makes one that begins now. With a step it keeps a series too, one point for each.
func newRecorder(now time.Time, step time.Duration) *recorder {
	r := &recorder{latency: newHistogram(), errors: map[string]int64{}, step: step}
	if step > 0 {
		r.recent, r.from, r.edge = newHistogram(), now, now.Add(step)
	}
	return r
}

// good records a request that was due at one time and answered, rightly and in full, at another.
func (r *recorder) good(due, done time.Time) {
	r.advance(done)
	took := min(max(done.Sub(due), 0), longest)
	r.latency.RecordValue(int64(took)) // within its bounds it cannot fail
	if r.step > 0 {
		r.recent.RecordValue(int64(took))
	}
}

// fail records requests that went wrong.
func (r *recorder) fail(kind string, now time.Time, times int64) {
	if times <= 0 {
		return
	}
	r.advance(now)
	r.errors[r.kind(kind)] += times
	r.failed += times
	r.faults += times
}

// mostKinds and longestKind bound what a server can have kept, since what it says is in the names of some errors.
const (
	mostKinds   = 100
	longestKind = 200
)

// kind is the name under which an error is counted.
func (r *recorder) kind(name string) string {
	name = printable(name, longestKind)
	if _, known := r.errors[name]; !known && len(r.errors) >= mostKinds {
		return "others"
	}
	return name
}

// count is the number of requests, good and bad.
func (r *recorder) count() int64 { return r.latency.TotalCount() + r.failed }

// advance closes the steps of the series that have ended. Those in which nothing happened are points too: a stall
// must be seen.
func (r *recorder) advance(now time.Time) {
	for r.step > 0 && !now.Before(r.edge) {
		r.close(r.edge)
		r.edge = r.edge.Add(r.step)
	}
}

// finish closes the last step, which is as long as it got.
func (r *recorder) finish(now time.Time) {
	r.advance(now)
	if r.step > 0 && r.recent.TotalCount()+r.faults > 0 {
		r.close(now)
	}
}

func (r *recorder) close(edge time.Time) {
	r.points = append(r.points, pointOf(r.recent, edge.Sub(r.from), edge.Sub(r.edge.Add(-r.step)), r.faults))
	r.recent.Reset()
	r.faults = 0
}

// pointOf sums up a step of some length, which ended at a time of the run.
func pointOf(h *hdrhistogram.Histogram, at, length time.Duration, faults int64) Point {
	p := Point{At: at.Seconds(), Errors: faults, Requests: h.TotalCount()}
	if length > 0 {
		p.Rate = float64(p.Requests) / length.Seconds()
	}
	if p.Requests > 0 {
		p.P50, p.P99, p.Max = millis(h.ValueAtQuantile(50)), millis(h.ValueAtQuantile(99)), millis(h.Max())
	}
	return p
}

// merge adds what another recorder has, but for its series.
func (r *recorder) merge(other *recorder) {
	r.latency.Merge(other.latency)
	for kind, n := range other.errors {
		r.errors[r.kind(kind)] += n
	}
	r.failed += other.failed
}

// millis turns nanoseconds into milliseconds, the unit of every report.
func millis(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
