package loadtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The drawing is in units of its own, small enough that its text can be read where it is as wide as a phone.
const (
	plotWidth, plotHeight       = 400.0, 230.0
	plotLeft, plotRight         = 52.0, 16.0
	plotTop, plotBottom         = 10.0, 34.0
	leastDecade, greatestDecade = -3, 7 // of milliseconds: 1 us to hours
)

// plot is a drawing with two axes.
type plot struct {
	Title, XName   string
	Width, Height  float64
	Left, Right    float64 // of the area in which lines are
	Top, Bottom    float64
	XTicks, YTicks []tick
	Lines          []line
	Marks          []mark
}

type tick struct {
	At    float64
	Label string
}

// line is a polyline: several, where it has gaps.
type line struct {
	Name, Class string
	Parts       []string
}

// mark is a step of the series in which requests went wrong.
type mark struct {
	X     float64
	Label string
}

// scale turns a value into a place on an axis.
type scale struct{ from, to, low, high float64 }

func (s scale) at(v float64) float64 {
	if s.high <= s.low {
		return s.from
	}
	return s.from + (min(max(v, s.low), s.high)-s.low)/(s.high-s.low)*(s.to-s.from)
}

func whatOf(r *Report) string {
	if lateness(r) {
		return "Lateness"
	}
	return "Latency"
}

func newPlot(title, xName string) plot {
	return plot{Title: title, XName: xName, Width: plotWidth, Height: plotHeight,
		Left: plotLeft, Right: plotWidth - plotRight, Top: plotTop, Bottom: plotHeight - plotBottom}
}

// latencyAxis is logarithmic, from the decade of the least value to that of the greatest.
func (p *plot) latencyAxis(values []float64) func(float64) float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 1, 1
	}
	first, last := max(math.Floor(math.Log10(low)), leastDecade), min(math.Ceil(math.Log10(high)), greatestDecade)
	if last <= first {
		last = first + 1
	}
	s := scale{p.Bottom, p.Top, first, last}
	between := []float64{1}
	if last-first < 3 {
		between = []float64{1, 2, 5}
	}
	for decade := first; decade <= last; decade++ {
		for _, b := range between {
			v := b * math.Pow(10, decade)
			if math.Log10(v) <= last {
				p.YTicks = append(p.YTicks, tick{s.at(math.Log10(v)), plain(v)})
			}
		}
	}
	return func(v float64) float64 { return s.at(math.Log10(max(v, 1e-9))) }
}

// plain writes milliseconds at a tick: 100 us, 2 ms, 50 s.
func plain(v float64) string {
	switch {
	case v < 0.9999:
		return fmt.Sprintf("%.0f us", v*1000)
	case v < 999.9:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.0f s", v/1000)
}

// curvePlot is latency by percentile. The axis counts nines, so that the tail, which is what matters, has room.
func curvePlot(r *Report) plot {
	p := newPlot(whatOf(r)+" by percentile", "percentile")
	var all []float64
	nines := 1.0
	for _, t := range r.Results {
		for _, q := range t.Curve {
			all = append(all, q.Latency)
			if q.Percentile < 100 {
				nines = max(nines, ninesOf(q.Percentile))
			}
		}
	}
	y := p.latencyAxis(all)
	end := nines + max(0.3, 0.13*nines) // where 100 is: its label has room
	x := scale{p.Left, p.Right, 0, end}
	for _, pc := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999} {
		if n := ninesOf(pc); n <= nines+1e-9 {
			p.XTicks = append(p.XTicks, tick{x.at(n), fmt.Sprint(pc)})
		}
	}
	p.XTicks = append(p.XTicks, tick{x.at(end), "max"})
	for i, t := range r.Results {
		var points []string
		for _, q := range t.Curve {
			n := end
			if q.Percentile < 100 {
				n = ninesOf(q.Percentile)
			}
			points = append(points, point(x.at(n), y(q.Latency)))
		}
		p.Lines = append(p.Lines, line{t.URL, fmt.Sprintf("t%d", i), []string{strings.Join(points, " ")}})
	}
	return p
}

func ninesOf(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

func point(x, y float64) string { return fmt.Sprintf("%.1f,%.1f", x, y) }

// timePlot is latency over time, with a mark where requests went wrong.
func timePlot(r *Report) plot {
	p := newPlot(whatOf(r)+" over time", "seconds")
	var all []float64
	last := 0.0
	for _, t := range r.Results {
		for _, q := range t.Series {
			all, last = append(all, q.P50, q.P99), max(last, q.At)
		}
	}
	y := p.latencyAxis(all)
	x := scale{p.Left, p.Right, 0, last}
	step := tidyStep(last / 5)
	for v := 0.0; v <= last+step/1000; v += step {
		p.XTicks = append(p.XTicks, tick{x.at(v), fmt.Sprintf("%.4g", v)})
	}
	for i, t := range r.Results {
		class := fmt.Sprintf("t%d", i)
		for _, q := range t.Series {
			if q.Errors > 0 {
				p.Marks = append(p.Marks, mark{x.at(q.At), fmt.Sprintf("%d errors at %.1f s", q.Errors, q.At)})
			}
		}
		if !slices.ContainsFunc(t.Series, func(q Point) bool { return q.Requests > 1 }) {
			p.Lines = append(p.Lines, line{t.URL, class, gapped(t.Series, func(q Point) string { return point(x.at(q.At), y(q.Max)) })})
			continue
		}
		p.Lines = append(p.Lines,
			line{"p50 " + t.URL, class, gapped(t.Series, func(q Point) string { return point(x.at(q.At), y(q.P50)) })},
			line{"p99 " + t.URL, class + " dashed", gapped(t.Series, func(q Point) string { return point(x.at(q.At), y(q.P99)) })})
	}
	return p
}

// gapped leaves a gap where nothing was answered. A point that stands alone is drawn as a line to itself, a dot.
func gapped(series []Point, at func(Point) string) []string {
	var parts []string
	open := false
	for _, q := range series {
		if q.Requests == 0 {
			open = false
			continue
		}
		if !open {
			parts, open = append(parts, at(q)), true
		}
		parts[len(parts)-1] += " " + at(q)
	}
	return parts
}

// tidyStep is 1, 2 or 5 times a power of ten, not less than v.
func tidyStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*decade >= v {
			return m * decade
		}
	}
	return 10 * decade
}
