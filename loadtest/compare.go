package loadtest

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Resamples of the bootstrap, enough for two digits of the bounds.
const resamples = 4000

// ratioOf compares two series taken in turns: what was slow for one was slow for the other beside it, so the ratio is
// taken pair by pair. The interval is the bootstrap's over the pairs, which asks nothing of their distribution. Pairs
// with a value that is not positive (a slice without an answer) have no ratio and are left out.
func ratioOf(name string, ours, theirs []float64) (Ratio, bool) {
	var logs []float64
	for i := range min(len(ours), len(theirs)) {
		if ours[i] > 0 && theirs[i] > 0 {
			logs = append(logs, math.Log(ours[i]/theirs[i]))
		}
	}
	if len(logs) < 2 {
		return Ratio{}, false
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
	return Ratio{
		Of: name, Ratio: math.Exp(sum / float64(len(logs))), Pairs: len(logs),
		Low: math.Exp(means[resamples*25/1000]), High: math.Exp(means[resamples*975/1000]),
	}, true
}

// quantity is what two series are compared in.
type quantity struct {
	name string
	of   func(Point) float64
}

var (
	ofRate    = quantity{"requests/s", func(p Point) float64 { return p.Rate }}
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

// ratiosOf compares two series, point by point.
func ratiosOf(ours, theirs []Point, how string, quantities ...quantity) []Ratio {
	var out []Ratio
	for _, q := range quantities {
		if r, ok := ratioOf(q.name+", "+how, each(ours, q.of), each(theirs, q.of)); ok {
			out = append(out, r)
		}
	}
	return out
}

// compareResults compares the two targets, if there are two.
func (r *run) compareResults(quantities []quantity) {
	if results := r.report.Results; len(results) == 2 {
		r.report.Ratios = ratiosOf(results[0].Series, results[1].Series, "-url by -compare", quantities...)
	}
}

func each[A, B any](from []A, of func(A) B) []B {
	out := make([]B, len(from))
	for i, a := range from {
		out[i] = of(a)
	}
	return out
}
