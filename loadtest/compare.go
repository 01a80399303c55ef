package loadtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Resamples of the bootstrap, enough for two digits of the bounds.
const resamples = 4000

// ratioOf compares two series taken in turns: what was slow for one was slow for the other beside it, so the ratio is
// taken pair by pair. The interval is the bootstrap's over the pairs, which asks nothing of their distribution. Pairs
// with a value that is not positive (a slice without a good answer) have no ratio; how many were left out is told.
func ratioOf(name string, ours, theirs []float64) (Ratio, bool) {
	out := Ratio{Of: name}
	var logs []float64
	for i := range min(len(ours), len(theirs)) {
		if ours[i] > 0 && theirs[i] > 0 {
			logs = append(logs, math.Log(ours[i]/theirs[i]))
		} else {
			out.LeftOut++
		}
	}
	if out.Pairs = len(logs); out.Pairs < 2 {
		return out, false
	}
	// A fixed seed: the same samples give the same interval.
	random := rand.New(rand.NewPCG(1, 2))
	means := make([]float64, resamples)
	for i := range means {
		sum := 0.0
		for range logs {
			sum += logs[random.IntN(len(logs))]
		}
		means[i] = sum / float64(len(logs))
	}
	slices.Sort(means)
	sum := 0.0
	for _, l := range logs {
		sum += l
	}
	out.Ratio = math.Exp(sum / float64(len(logs)))
	out.Low, out.High = math.Exp(means[resamples*25/1000]), math.Exp(means[resamples*975/1000])
	return out, true
}

// quantity is what two series are compared in. Each is of good requests alone: an error that comes fast is no work
// that was done fast. What is missing then is said beside the ratios (doubts).
type quantity struct {
	name string
	of   func(Point) float64
}

var (
	ofRate    = quantity{"good requests/s", func(p Point) float64 { return p.Rate }}
	ofP50     = quantity{"p50", func(p Point) float64 { return p.P50 }}
	ofP99     = quantity{"p99", func(p Point) float64 { return p.P99 }}
	ofAnswer  = quantity{"time to the answer", func(p Point) float64 { return p.Max }}
	ofLastOne = quantity{"time to the last answer", func(p Point) float64 { return p.Max }}
)

// latencyOf are the quantities of requests in a row. The rate of an open loop is what was asked for.
func latencyOf(open bool) []quantity {
	if open {
		return []quantity{ofP50, ofP99}
	}
	return []quantity{ofRate, ofP50, ofP99}
}

// compareSeries adds the ratios of two series to the report, or says why there are none.
func (r *run) compareSeries(ours, theirs []Point, how string, quantities ...quantity) {
	var without []string
	var last Ratio
	for _, q := range quantities {
		ratio, ok := ratioOf(q.name+", "+how, each(ours, q.of), each(theirs, q.of))
		if ok {
			r.report.Ratios = append(r.report.Ratios, ratio)
		} else {
			without, last = append(without, q.name), ratio
		}
	}
	if len(without) > 0 {
		r.note("no ratio of %s, %s: that takes two pairs, and %d of %d have good answers on both sides",
			strings.Join(without, ", "), how, last.Pairs, last.Pairs+last.LeftOut)
	}
}

// compareResults compares the two targets, if there are two.
func (r *run) compareResults(quantities []quantity) {
	if results := r.report.Results; len(results) == 2 {
		r.compareSeries(results[0].Series, results[1].Series, "-url by -compare", quantities...)
	}
}

// doubts are the reasons not to take the ratios of a run at their word. Whoever looks at nothing else must meet them.
func (r *Report) doubts() (out []string) {
	if len(r.Ratios) == 0 {
		return nil
	}
	if r.Generator.Void {
		out = append(out, "VOID: "+generatorShare(r)+", so the ratios are those of the generator")
	}
	if r.Interrupted {
		out = append(out, "the run was interrupted, so the ratios are of what was measured until then")
	}
	if r.failed() {
		var parts []string
		for _, t := range r.Results {
			share := 100 * float64(t.Failed) / float64(max(t.Requests, 1))
			parts = append(parts, fmt.Sprintf("%d of %d (%.3g%%) of %s", t.Failed, t.Requests, share, t.URL))
		}
		out = append(out, "the ratios are of good requests alone, and there were errors: "+strings.Join(parts, ", "))
	}
	if slices.ContainsFunc(r.Ratios, func(q Ratio) bool { return q.LeftOut > 0 }) {
		out = append(out, "pairs in which a side had no good answer are left out")
	}
	return out
}

func each[A, B any](from []A, of func(A) B) []B {
	out := make([]B, len(from))
	for i, a := range from {
		out[i] = of(a)
	}
	return out
}
