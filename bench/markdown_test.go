package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exampleReport has everything a report can have.
func exampleReport() Report {
	c := exampleCase
	c.Series = append(c.Series[:3:3], Series{Contender: "nethttp", Kind: kindOther,
		Samples: []Sample{{Work: 1, Elapsed: time.Second, Errors: map[string]int{"status 502": 4}}}})
	v, _, _ := c.against(Verdict{What: "CPU per request", Must: 0.7, Goal: 0.6}, cpuPerWork, peerKinds...)
	return Report{Schema: reportSchema, Machine: Machine{CPU: "A CPU", Cores: 2},
		LeftOut: []string{"nginx-2: nginx is not installed (apt-get install nginx-light)"}, Incomplete: true,
		Scenarios: []Scenario{{Name: "small", Title: "small GETs", Cases: []Case{c}, Verdicts: []Verdict{v}, Notes: []string{"a|b"}}}}
}

// TestMarkdown: every table has as many cells in each row as it has titles, and nothing is lost on the way.
func TestMarkdown(t *testing.T) {
	r := exampleReport()
	var out bytes.Buffer
	markdownReport(&out, &r)
	for _, want := range []string{"A CPU, 2 cores", "## small GETs", "50 connections, median of 3 rounds", "best peer", "0.80",
		"- nethttp: 4 times status 502", "<= 0.7", "NOT MET", "apt-get install nginx-light", "Note: a|b", "incomplete"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	cells, tables := 0, 0
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		if cells == 0 {
			tables, cells = tables+1, strings.Count(line, "|")
		}
		if strings.Count(line, "|") != cells {
			t.Errorf("not %d cells: %s", cells-1, line)
		}
	}
	if tables != 2 {
		t.Errorf("%d tables in\n%s", tables, &out)
	}
}

// TestMarkdownBar: a bar in a cell does not make two of it.
func TestMarkdownBar(t *testing.T) {
	var out bytes.Buffer
	markdownTable(&out, [][]string{{"", "b"}, {"x|y", "1"}})
	if want := "|  | b |\n|---|---:|\n| x\\|y | 1 |\n"; out.String() != want {
		t.Errorf("%q", &out)
	}
}

// TestWriteReport: a program finds the version of the form, and what it reads is what was measured.
func TestWriteReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there yet")
	r := exampleReport()
	if err := writeReport(dir, &r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil || back.Schema != reportSchema {
		t.Fatalf("schema %d, %v", back.Schema, err)
	}
	var written, read bytes.Buffer
	markdownReport(&written, &r)
	markdownReport(&read, &back)
	if written.String() != read.String() {
		t.Errorf("from JSON:\n%s\nnot:\n%s", &read, &written)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || string(page) != written.String() {
		t.Errorf("%s, %v", page, err)
	}
}
