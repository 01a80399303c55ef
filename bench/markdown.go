package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// writeReport puts a report into a directory, for programs and for people.
func writeReport(dir string, r *Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "report.json"), r); err != nil {
		return err
	}
	var page bytes.Buffer
	markdownReport(&page, r)
	return os.WriteFile(filepath.Join(dir, "report.md"), page.Bytes(), 0o644)
}

func writeJSON(file string, r *Report) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// markdownReport writes a report in Markdown, as the summary of a CI job.
func markdownReport(w io.Writer, r *Report) {
	fmt.Fprintf(w, "# What the gateway costs\n\n%s\n", strings.Join(heading(r), "  \n"))
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(w, "\nLeft out:\n\n- %s\n", strings.Join(r.LeftOut, "\n- "))
	}
	for i := range r.Scenarios {
		markdownScenario(w, &r.Scenarios[i])
	}
	if r.Incomplete {
		fmt.Fprintln(w, "\nThis run is incomplete: it shows less than the whole.")
	}
}

func markdownScenario(w io.Writer, s *Scenario) {
	fmt.Fprintf(w, "\n## %s\n", s.Title)
	for _, c := range s.Cases {
		if len(c.Series) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s, %s:\n\n", c.Name, roundsOf(c))
		markdownTable(w, caseTable(c, columnsOf(s.Name)))
		if lines := errorLines(c); len(lines) > 0 {
			fmt.Fprintf(w, "\n- %s\n", strings.Join(lines, "\n- "))
		}
	}
	if len(s.Failed) > 0 {
		fmt.Fprintf(w, "\nFailed:\n\n- %s\n", strings.Join(s.Failed, "\n- "))
	}
	for _, note := range s.Notes {
		fmt.Fprintf(w, "\nNote: %s\n", note)
	}
	if len(s.Verdicts) > 0 {
		fmt.Fprintln(w)
		markdownTable(w, verdictTable(s.Verdicts))
	}
}

// markdownTable writes rows, the first of which are the titles; figures stand to the right, names to the left.
func markdownTable(w io.Writer, rows [][]string) {
	for i, cells := range rows {
		escaped := make([]string, len(cells))
		for n, cell := range cells {
			escaped[n] = strings.ReplaceAll(cell, "|", "\\|")
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(escaped, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|---%s|\n", strings.Repeat("|---:", len(cells)-1))
		}
	}
}
