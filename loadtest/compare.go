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

// ratiosOf compares two series in what the scenario is about.
func ratiosOf(ours, theirs []Point, open bool, how string) []Ratio {
	quantities := []struct {
		name string
		of   func(Point) float64
	}{
		{"requests/s", func(p Point) float64 { return p.Rate }},
		{"p50", func(p Point) float64 { return p.P50 }},
		{"p99", func(p Point) float64 { return p.P99 }},
	}
	if open {
		quantities = quantities[1:] // its rate is what was asked for
	}
	var out []Ratio
	for _, q := range quantities {
		if r, ok := ratioOf(q.name+", "+how, each(ours, q.of), each(theirs, q.of)); ok {
			out = append(out, r)
		}
	}
	return out
}

func each(points []Point, of func(Point) float64) []float64 {
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = of(p)
	}
	return out
}
