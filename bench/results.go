package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The last whole run is kept in the tree: what was measured, and the page made of it.
const (
	keptReport = "results.json"
	keptPage   = "RESULTS.md"
)

// resultsMain keeps a report as the last whole run, and writes the page of it. Nobody writes in either by hand.
func resultsMain(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("results", flag.ContinueOnError)
	from := flags.String("from", "bench/report/report.json", "the `REPORT` to keep; "+keptReport+" itself has the page written anew")
	into := flags.String("into", "bench", "the `DIRECTORY` of "+keptReport+" and "+keptPage)
	if err := parseAll(flags, args); err != nil {
		return err
	}
	r, err := readReport(*from)
	if err != nil {
		return err
	}
	if !r.Whole {
		return fmt.Errorf("%s is not kept, since it is no whole run: %s", *from, cmp.Or(strings.Join(r.Part, "; "), "it does not say why"))
	}
	data, err := compactJSON(r)
	if err == nil {
		err = os.WriteFile(filepath.Join(*into, keptReport), data, 0o644)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(*into, keptPage), resultsPage(r), 0o644)
}

func readReport(file string) (*Report, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if r.Schema != reportSchema {
		return nil, fmt.Errorf("%s has the form %d, and this program reads %d", file, r.Schema, reportSchema)
	}
	return &r, nil
}

func (r *Report) scenario(name string) *Scenario {
	for i := range r.Scenarios {
		if r.Scenarios[i].Name == name {
			return &r.Scenarios[i]
		}
	}
	return nil
}

// compactJSON has a line for each contender in each case, so that it can be kept in git.
func compactJSON(r *Report) ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	for _, start := range []string{`{"contender":`, `{"what":`, `{"name":`, `"scenarios":`} {
		data = bytes.ReplaceAll(data, []byte(start), []byte("\n"+start))
	}
	return append(data, '\n'), nil
}

// resultsPage is the page of a run that is kept.
func resultsPage(r *Report) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "# The last whole run of make bench\n\n")
	if r.Incomplete {
		fmt.Fprintf(&w, "This run is incomplete: contenders were left out, or failed, as is said below.\n\n")
	}
	fmt.Fprintf(&w, "%s\n", strings.Join(heading(r), "  \n"))
	fmt.Fprintf(&w, "\n    %s\n", strings.Join(r.Command, " "))
	fmt.Fprintf(&w, "\nMade from [%s](%s) by `make bench-results`; doc.go says what is measured, and how.\n", keptReport, keptReport)
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(&w, "\nLeft out:\n\n- %s\n", strings.Join(r.LeftOut, "\n- "))
	}
	fmt.Fprintf(&w, "\n## Beside DynaPM\n\n%s\n\n", besideNode(r))
	markdownTable(&w, publishedTable(r))
	fmt.Fprintf(&w, "\n## Beside the best peer\n\nMedians, and the median of the ratios of each round, with least and most. "+
		"The best peer is that of nginx, HAProxy\nand Caddy, whichever variant, that has the best median of a figure.\n\n")
	markdownTable(&w, peerTable(r))
	for i := range r.Scenarios {
		markdownScenario(&w, &r.Scenarios[i])
	}
	return w.Bytes()
}

// peerTable has each figure of ours beside that of the best peer in it.
func peerTable(r *Report) [][]string {
	rows := [][]string{{"", "figure", "ours", "best peer", "its figure", "ratio", "least..most"}}
	for _, s := range r.Scenarios {
		for _, c := range s.Cases {
			for _, m := range columnsOf(s.Name) {
				if m.wants == neither {
					continue
				}
				ours := c.ours()
				peer, ok := c.find(m.of, m.wants == more, peerKinds...)
				if !ok || len(ours.Samples) == 0 {
					continue
				}
				ratio := spreadOf(ratios(ours.values(m.of), peer.values(m.of)))
				cells := []string{s.Name + ", " + c.Name, m.title, fmt.Sprintf(m.scale, ours.middle(m.of)), peer.Contender,
					fmt.Sprintf(m.scale, peer.middle(m.of)), "", ""}
				switch {
				case !ours.sound():
					cells[5] = "errors"
				case ratio.finite():
					cells[5], cells[6] = fmt.Sprintf("%.2f", ratio.Median), fmt.Sprintf("%.2f..%.2f", ratio.Min, ratio.Max)
				}
				rows = append(rows, cells)
			}
		}
	}
	return rows
}
