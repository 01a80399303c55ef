package loadtest

import (
	"bytes"
	_ "embed"
	"html/template"
	"slices"
	"strings"
)

//go:embed report.html
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{"add": func(a, b float64) float64 { return a + b }}).Parse(pageText))

// view is what the page shows.
type view struct {
	*Report
	Verdict     string // of the generator's share
	Interrupted string
	Latency     table
	Tables      []table
	Plots       []plot
	Bars        []bars
}

// table is a sheet for the page.
type table struct {
	Title string
	Heads []string
	Rows  [][]string
	Words bool // it has text that must be broken to fit
	Foot  []string
}

// html is the report as one page, which needs nothing else.
func html(r *Report) ([]byte, error) {
	sheets := tablesOf(r)
	v := view{Report: r, Verdict: generatorLine(r), Interrupted: interrupted(r), Latency: turned(sheets[0]), Plots: []plot{curvePlot(r), timePlot(r)}}
	for _, s := range sheets[1:] {
		if s.title == "Streams" {
			v.Tables = append(v.Tables, turned(s))
		} else {
			v.Tables = append(v.Tables, table{s.title, s.heads, unbroken(s.rows), s.title == "Errors", s.foot})
		}
	}
	for _, t := range r.Results {
		if len(knownStarts(t)) > 0 {
			v.Bars = append(v.Bars, coldBars(r, t))
		}
	}
	var out bytes.Buffer
	err := page.Execute(&out, v)
	return out.Bytes(), err
}

// unbroken keeps the name of a flag on one line: its hyphen is one that does not break. A URL that is short is broken
// less.
func unbroken(rows [][]string) [][]string {
	var out [][]string
	for _, row := range rows {
		row = slices.Clone(row)
		row[0] = strings.TrimPrefix(strings.ReplaceAll(row[0], " -", " \u2011"), "http://")
		out = append(out, row)
	}
	return out
}

// turned makes columns of rows: two targets side by side fit on a phone, ten quantities do not.
func turned(s sheet) table {
	t := table{Title: s.title, Heads: []string{s.heads[0]}}
	for _, row := range s.rows {
		t.Heads = append(t.Heads, strings.TrimPrefix(row[0], "http://"))
	}
	for i, head := range s.heads[1:] {
		row := []string{strings.ToLower(head)}
		for _, r := range s.rows {
			row = append(row, r[i+1])
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
