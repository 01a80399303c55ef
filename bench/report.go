package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// printReport writes a report for people.
func printReport(w io.Writer, r *Report) {
	fmt.Fprintf(w, "\n%s\n", strings.Join(heading(r), "\n"))
	for _, why := range r.LeftOut {
		fmt.Fprintln(w, "left out:", why)
	}
	for i := range r.Scenarios {
		printScenario(w, &r.Scenarios[i])
	}
	if r.Incomplete {
		fmt.Fprintln(w, "\nThis run is incomplete: it shows less than the whole.")
	}
}

// heading says what the run was made on and with.
func heading(r *Report) []string {
	var named []string
	for _, name := range sortedKeys(r.Versions) {
		named = append(named, name+" "+r.Versions[name])
	}
	lines := []string{
		fmt.Sprintf("%s, %d cores, Linux %s, %s; %s", r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go,
			r.Date.Format("2006-01-02 15:04")),
		strings.Join(named, ", "),
	}
	if len(r.Part) > 0 {
		lines = append(lines, "This is no whole run: "+strings.Join(r.Part, "; ")+".")
	}
	if r.Machine.Load > float64(r.Machine.Cores)/2 {
		lines = append(lines, fmt.Sprintf("The machine was busy with other work: its load was %.1f before the run. "+
			"Trust ratios, and those with a wide range little.", r.Machine.Load))
	}
	return lines
}

func printScenario(w io.Writer, s *Scenario) {
	for _, c := range s.Cases {
		if len(c.Series) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s, %s\n", s.Title, c.Name, roundsOf(c))
		printCase(w, c, columnsOf(s.Name))
		printErrors(w, c)
	}
	for _, who := range s.Failed {
		fmt.Fprintln(w, "failed:", who)
	}
	for _, note := range s.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	printVerdicts(w, s.Verdicts)
}

func printCase(w io.Writer, c Case, columns []metric) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	for _, cells := range caseTable(c, columns) {
		row(table, cells)
	}
}

// caseTable has the titles, and for each contender the middle of each figure, of the first one the range too if there was
// more than one round, how it compares with the best peer's, and how often something went wrong if it did for anybody.
func caseTable(c Case, columns []metric) [][]string {
	of := columns[0].of
	ranged := slices.ContainsFunc(c.Series, func(s Series) bool { return len(s.Samples) > 1 })
	errors := slices.ContainsFunc(c.Series, func(s Series) bool { return s.wrong() > 0 })
	peer, hasPeer := c.find(of, columns[0].wants == more, peerKinds...)
	add := func(cells []string, wanted bool, cell string) []string {
		if wanted {
			cells = append(cells, cell)
		}
		return cells
	}
	titles := add(add([]string{"", columns[0].title}, ranged, "least..most"), hasPeer, "to best peer")
	for _, column := range columns[1:] {
		titles = append(titles, column.title)
	}
	rows := [][]string{add(titles, errors, "errors")}
	for _, s := range c.Series {
		each := spreadOf(s.values(of))
		middle, reach, ratio := fmt.Sprintf(columns[0].scale, each.Median),
			fmt.Sprintf(columns[0].scale+".."+columns[0].scale, each.Min, each.Max), ""
		if s.Kind == kindDirect && each.Max == 0 {
			middle, reach = "", ""
		} else if hasPeer {
			ratio = toPeer(s, peer, of)
		}
		cells := add(add([]string{s.Contender, middle}, ranged, reach), hasPeer, ratio)
		for _, column := range columns[1:] {
			cells = append(cells, fmt.Sprintf(column.scale, s.middle(column.of)))
		}
		rows = append(rows, add(cells, errors, wrongCell(s)))
	}
	return rows
}

// wrongCell counts what went wrong, of which no figure of the row is made; of whom it was too much is said.
func wrongCell(s Series) string {
	if !s.sound() {
		return fmt.Sprintf("%d: not to be compared", s.wrong())
	}
	return fmt.Sprint(s.wrong())
}

// toPeer compares a contender with the best peer; with one that costs nothing at all there is no comparing, nor is there of
// one that answers with errors.
func toPeer(s, peer Series, of func(Sample) float64) string {
	if s.Contender == peer.Contender {
		return "best peer"
	}
	if !s.sound() {
		return "errors"
	}
	if ratio := spreadOf(ratios(s.values(of), peer.values(of))).Median; finite(ratio) {
		return fmt.Sprintf("%.2f", ratio)
	}
	return ""
}

// row writes cells, the first one to the left.
func row(w io.Writer, cells []string) {
	fmt.Fprintf(w, "  %-12s\t%s\t\n", cells[0], strings.Join(cells[1:], "\t"))
}

func printErrors(w io.Writer, c Case) {
	for _, line := range errorLines(c) {
		fmt.Fprintln(w, "  "+line)
	}
}

func errorLines(c Case) []string {
	var lines []string
	for _, s := range c.Series {
		errors := s.errors()
		for _, kind := range errorKinds(errors) {
			lines = append(lines, fmt.Sprintf("%s: %d times %s", s.Contender, errors[kind], kind))
		}
	}
	return lines
}

func printVerdicts(w io.Writer, verdicts []Verdict) {
	if len(verdicts) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, cells := range verdictTable(verdicts) {
		fmt.Fprintln(table, "  "+strings.Join(cells, "\t"))
	}
}

// verdictTable has the titles, and a row for each verdict.
func verdictTable(verdicts []Verdict) [][]string {
	rows := [][]string{{"", "ours", "least..most", "must be", "", "goal", "", "against"}}
	for _, v := range verdicts {
		sign := "<="
		if v.AtLeast {
			sign = ">="
		}
		ours, reach := "not measured", ""
		if !v.Missing {
			ours = figure(v.Ours.Median) + v.Unit
		}
		if v.Ours.Min != v.Ours.Max {
			reach = figure(v.Ours.Min) + ".." + figure(v.Ours.Max)
		}
		goal, goalMet := "", ""
		if v.Goal != 0 {
			goal, goalMet = fmt.Sprintf("%s %g", sign, v.Goal), v.word(v.GoalMet)
		}
		rows = append(rows, []string{v.What, ours, reach, fmt.Sprintf("%s %.4g", sign, v.Must), v.word(v.Met), goal, goalMet, v.Against})
	}
	return rows
}

// figure has as many digits as say something.
func figure(x float64) string {
	if math.Abs(x) < 10 {
		return fmt.Sprintf("%.3f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

func (v Verdict) word(met bool) string {
	switch {
	case met && v.Disturbed:
		return "met, disturbed"
	case met:
		return "met"
	case v.Wrong:
		return "NOT MET: errors"
	}
	return "NOT MET"
}

// roundsOf says of how many rounds a table is the middle.
func roundsOf(c Case) string {
	if n := len(c.Series[0].Samples); n > 1 {
		return fmt.Sprintf("median of %d rounds", n)
	}
	return "1 round"
}

func columnsOf(name string) []metric {
	for _, s := range scenarios() {
		if s.name == name {
			return s.columns
		}
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
