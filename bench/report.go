package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// printReport writes a report for people.
func printReport(w io.Writer, r *Report) {
	fmt.Fprintf(w, "\n%s, %d cores, Linux %s, %s; %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go,
		r.Date.Format("2006-01-02 15:04"))
	var named []string
	for _, name := range sortedKeys(r.Versions) {
		named = append(named, name+" "+r.Versions[name])
	}
	fmt.Fprintln(w, strings.Join(named, ", "))
	if r.Machine.Load > float64(r.Machine.Cores)/2 {
		fmt.Fprintf(w, "The machine was busy with other work: its load was %.1f before the run. Trust ratios, and those with a wide range little.\n", r.Machine.Load)
	}
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

func printScenario(w io.Writer, s *Scenario) {
	for _, c := range s.Cases {
		if len(c.Series) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s, median of %s\n", s.Title, c.Name, plural(len(c.Series[0].Samples), "round"))
		printCase(w, c, columnsOf(s.Name))
		printErrors(w, c)
	}
	for _, note := range s.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	printVerdicts(w, s.Verdicts)
}

// printCase writes the middle of each figure, of the first one the range too, and how it compares with the best peer's.
func printCase(w io.Writer, c Case, columns []metric) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	titles := []string{"", columns[0].title, "least..most", "to best peer"}
	for _, column := range columns[1:] {
		titles = append(titles, column.title)
	}
	row(table, titles)
	of := columns[0].of
	peer, hasPeer := c.find(of, false, kindNginx, kindHAProxy)
	for _, s := range c.Series {
		each := spreadOf(s.values(of))
		cells := []string{s.Contender, fmt.Sprintf(columns[0].scale, each.Median),
			fmt.Sprintf(columns[0].scale+".."+columns[0].scale, each.Min, each.Max), ""}
		if s.Kind == kindDirect && each.Max == 0 {
			cells[1], cells[2] = "", ""
		} else if hasPeer {
			cells[3] = toPeer(s, peer, of)
		}
		for _, column := range columns[1:] {
			cells = append(cells, fmt.Sprintf(column.scale, s.middle(column.of)))
		}
		row(table, cells)
	}
}

// toPeer compares a contender with the best peer; with one that costs nothing at all there is no comparing.
func toPeer(s, peer Series, of func(Sample) float64) string {
	if s.Contender == peer.Contender {
		return "best peer"
	}
	if ratio := spreadOf(ratios(s.values(of), peer.values(of))).Median; !math.IsNaN(ratio) && !math.IsInf(ratio, 0) {
		return fmt.Sprintf("%.2f", ratio)
	}
	return ""
}

// row writes cells, the first one to the left.
func row(w io.Writer, cells []string) {
	fmt.Fprintf(w, "  %-10s\t%s\t\n", cells[0], strings.Join(cells[1:], "\t"))
}

func printErrors(w io.Writer, c Case) {
	for _, s := range c.Series {
		errors := s.errors()
		for _, kind := range errorKinds(errors) {
			fmt.Fprintf(w, "  %s: %d times %s\n", s.Contender, errors[kind], kind)
		}
	}
}

func printVerdicts(w io.Writer, verdicts []Verdict) {
	if len(verdicts) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "  "+strings.Join([]string{"", "ours", "least..most", "must be", "", "goal", "", "against"}, "\t"))
	for _, v := range verdicts {
		sign := "<="
		if v.AtLeast {
			sign = ">="
		}
		goal, goalMet := "", ""
		if v.Goal != 0 {
			goal, goalMet = fmt.Sprintf("%s %g", sign, v.Goal), metWord(v.GoalMet)
		}
		fmt.Fprintf(table, "  %s\t%s%s\t%s..%s\t%s %g\t%s\t%s\t%s\t%s\n", v.What, figure(v.Ours.Median), v.Unit, figure(v.Ours.Min), figure(v.Ours.Max),
			sign, v.Must, metWord(v.Met), goal, goalMet, v.Against)
	}
}

// figure has as many digits as say something.
func figure(x float64) string {
	if math.Abs(x) < 10 {
		return fmt.Sprintf("%.3f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

func metWord(met bool) string {
	if met {
		return "met"
	}
	return "NOT MET"
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
