package loadtest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// writeTable is the report on a terminal.
func writeTable(w io.Writer, r *Report) {
	fmt.Fprintf(w, "%s, %.1f s%s\n", r.Scenario, r.Seconds, interrupted(r))
	for i, t := range tablesOf(r) {
		fmt.Fprintln(w)
		if i > 0 {
			fmt.Fprintln(w, t.title)
		}
		out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, strings.Join(t.heads, "\t"))
		for _, row := range t.rows {
			fmt.Fprintln(out, strings.Join(row, "\t"))
		}
		out.Flush()
		for _, line := range t.foot {
			fmt.Fprintln(w, line)
		}
	}
	fmt.Fprintf(w, "\n%s\n", generatorLine(r))
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note: "+n)
	}
}

func interrupted(r *Report) string {
	if r.Interrupted {
		return ", interrupted: this is what was measured until then"
	}
	return ""
}

func generatorLine(r *Report) string {
	line := generatorShare(r)
	if r.Generator.Void {
		line = fmt.Sprintf("VOID: %s, more than %.0f%%; the figures say more of it than of the server", line, 100*voidShare)
	}
	return line
}

func generatorShare(r *Report) string {
	return fmt.Sprintf("the generator took %.0f%% of a core", 100*r.Generator.Share)
}

// sheet is a table in any of the forms of the report.
type sheet struct {
	title string
	heads []string
	rows  [][]string
	foot  []string // lines below it
}

// tablesOf is what every form of the report shows as tables.
func tablesOf(r *Report) []sheet {
	all := []sheet{errorsOf(r), ratiosTable(r), streamTable(r)}
	for _, t := range r.Results {
		all = append(all, coldTable(r, t), herdTable(r, t))
	}
	out := []sheet{latencies(r)}
	for _, s := range all {
		if len(s.rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// titled names the target where there are two.
func titled(title string, r *Report, t Result) string {
	if len(r.Results) > 1 {
		return title + " of " + t.URL
	}
	return title
}

// lateness tells whether it is events that were measured, and not requests.
func lateness(r *Report) bool {
	return slices.ContainsFunc(r.Results, func(t Result) bool { return t.Streams != nil })
}

func latencies(r *Report) sheet {
	s := sheet{title: "Latency", heads: []string{"TARGET", "REQUESTS", "ERRORS", "GOOD/S", "MIN", "P50", "P90", "P99", "P99.9", "MAX"}}
	if lateness(r) {
		s.title, s.heads[1] = "Lateness", "EVENTS"
	}
	for _, t := range r.Results {
		l := t.Latency
		row := []string{t.URL, fmt.Sprint(t.Requests), fmt.Sprint(t.Failed), fmt.Sprintf("%.0f", t.Rate)}
		for _, v := range []float64{l.Min, l.P50, l.P90, l.P99, l.P999, l.Max} {
			if t.Requests == t.Failed {
				row = append(row, "-") // nothing was answered
			} else {
				row = append(row, ms(v))
			}
		}
		s.rows = append(s.rows, row)
	}
	return s
}

func errorsOf(r *Report) sheet {
	s := sheet{title: "Errors", heads: []string{"TARGET", "ERROR", "TIMES"}}
	for _, t := range r.Results {
		for _, kind := range t.kinds() {
			s.rows = append(s.rows, []string{t.URL, kind, fmt.Sprint(t.Errors[kind])})
		}
	}
	return s
}

// doubtMark stands at each ratio that is in doubt, and at each reason for that.
const doubtMark = "(!)"

func ratiosTable(r *Report) sheet {
	s := sheet{title: "Ratios", heads: []string{"RATIO OF", "RATIO", "95% FROM", "TO", "PAIRS"}}
	mark := ""
	for _, why := range r.RatioDoubts {
		mark = " " + doubtMark
		s.foot = append(s.foot, doubtMark+" "+why)
	}
	for _, q := range r.Ratios {
		pairs := fmt.Sprint(q.Pairs)
		if q.LeftOut > 0 {
			pairs = fmt.Sprintf("%d of %d", q.Pairs, q.Pairs+q.LeftOut)
		}
		s.rows = append(s.rows, []string{q.Of, fmt.Sprintf("%.3f%s", q.Ratio, mark), fmt.Sprintf("%.3f", q.Low), fmt.Sprintf("%.3f", q.High), pairs})
	}
	return s
}

func herdTable(r *Report, t Result) sheet {
	s := sheet{title: titled("Herds", r, t), heads: []string{"HERD", "CLIENTS", "ANSWERED", "STARTS", "LAST ANSWER"}}
	for i, h := range t.Herds {
		s.rows = append(s.rows, []string{fmt.Sprint(i + 1), fmt.Sprint(h.Clients), fmt.Sprint(h.Answered), fmt.Sprint(h.Starts), ms(h.Last)})
	}
	return s
}

func streamTable(r *Report) sheet {
	s := sheet{title: "Streams", heads: []string{"TARGET", "STREAMS", "OPENED", "HELD TO THE END", "EVENTS OUTSTANDING THEN"}}
	for _, t := range r.Results {
		if n := t.Streams; n != nil {
			s.rows = append(s.rows, []string{t.URL, fmt.Sprint(n.Asked), fmt.Sprint(n.Opened), fmt.Sprint(n.Held), fmt.Sprint(n.Outstanding)})
		}
	}
	return s
}

// coldSteps are the parts of a cold start, in their order.
var coldSteps = []struct {
	name string
	of   func(Cold) float64
}{
	{"launch", func(c Cold) float64 { return c.Launch }},
	{"listen", func(c Cold) float64 { return c.Listen }},
	{"ready", func(c Cold) float64 { return c.Ready }},
	{"connect", func(c Cold) float64 { return c.Connect }},
	{"first byte", func(c Cold) float64 { return c.FirstByte }},
	{"around", func(c Cold) float64 { return c.Around }},
}

// coldTable has the median of each step, over the starts that the engine told of.
func coldTable(r *Report, t Result) sheet {
	s := sheet{title: titled("Cold starts", r, t), heads: []string{"STEP", "MEDIAN", "LEAST", "MOST"}}
	known := knownStarts(t)
	if len(known) == 0 {
		return s
	}
	for _, step := range append(coldSteps[:len(coldSteps):len(coldSteps)], struct {
		name string
		of   func(Cold) float64
	}{"total", func(c Cold) float64 { return c.Total }}) {
		var values []float64
		for _, c := range known {
			values = append(values, step.of(c))
		}
		low, middle, high := spreadOf(values)
		s.rows = append(s.rows, []string{step.name, ms(middle), ms(low), ms(high)})
	}
	return s
}

func knownStarts(t Result) []Cold {
	var known []Cold
	for _, c := range t.ColdStarts {
		if c.Known {
			known = append(known, c)
		}
	}
	return known
}
