package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestResults: RESULTS.md is byte for byte what the tool makes of what was measured.
func TestResults(t *testing.T) {
	r, err := readReport(keptReport)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(keptPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, resultsPage(r)) {
		t.Errorf("%s is not what %s says; in the folder above: go run ./bench results -from bench/%s", keptPage, keptReport, keptReport)
	}
	data, err := os.ReadFile(keptReport)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := compactJSON(r); err != nil || !bytes.Equal(data, again) {
		t.Errorf("%s has something that the tool does not write, %v", keptReport, err)
	}
	if !r.Whole {
		t.Errorf("%s is not of a whole run", keptReport)
	}
}

// TestResultsCommand: what is kept is kept whole, and no more than a whole run is.
func TestResultsCommand(t *testing.T) {
	dir := t.TempDir()
	keep := func(r *Report) error {
		from := filepath.Join(dir, "report.json")
		if err := writeJSON(from, r); err != nil {
			t.Fatal(err)
		}
		return resultsMain(t.Context(), []string{"-from", from, "-into", dir})
	}
	r := exampleReport()
	r.Part = []string{"0.001 of the size"}
	if err := keep(&r); err == nil || !strings.Contains(err.Error(), r.Part[0]) {
		t.Errorf("a part is kept as a whole run: %v", err)
	}
	r.Whole, r.Part = true, nil
	if err := keep(&r); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, keptPage))
	if err != nil {
		t.Fatal(err)
	}
	back, err := readReport(filepath.Join(dir, keptReport))
	if err != nil || !bytes.Equal(page, resultsPage(back)) {
		t.Errorf("the page is not made of what was kept: %v", err)
	}
	if first := bytes.Join(bytes.SplitN(page, []byte("\n"), 4)[:3], nil); !bytes.Contains(first, []byte("This run is incomplete")) {
		t.Errorf("an incomplete run begins with %s", first)
	}
}

// TestPart: a run is whole in the size in which make bench makes it, and nothing less is.
func TestPart(t *testing.T) {
	part := func(args ...string) string {
		c, err := parseCommand(args)
		chosen, err := c.chosen(err)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(c.part(chosen), "; ")
	}
	if why := part("-incomplete", "-rounds", "4", "-scale", "1", "-report", "x"); why != "" {
		t.Errorf("as make bench runs it: %s", why)
	}
	if why := part("-rounds", "7"); why != "" {
		t.Errorf("with more rounds: %s", why)
	}
	for args, want := range map[string]string{
		"-rounds=1 -scale=0.001": "1 round in place of 4; 0.001 of the size of each measurement",
		"-quick":                 "2 of 8 scenarios",
		"-scenario=small,cold":   "2 of 8 scenarios",
		"-only=dynapm,direct":    "contenders dynapm,direct",
		"-engine=x -beside=y":    "an engine built elsewhere; another engine beside it",
	} {
		if got := part(strings.Fields(args)...); got != want {
			t.Errorf("%s: %q", args, got)
		}
	}
}

// TestPublished: each figure that DynaPM publishes has its row, and ours is what was measured, or said not to be there.
func TestPublished(t *testing.T) {
	r := Report{Versions: map[string]string{}, Scenarios: []Scenario{
		{Name: "small", Cases: []Case{
			{Name: "1 connection", Series: []Series{series(ourName, kindOurs, 80, 90, 100), series("direct", kindDirect, 30, 30, 30)}},
		}},
		{Name: "memory", Cases: []Case{{Name: "1 service", Series: []Series{
			{Contender: ourName, Kind: kindOurs, Samples: []Sample{{Work: 1, Resident: 40 << 20, Own: 30 << 20}}}}}}},
	}}
	rows := publishedTable(&r)
	if len(rows) != 6 {
		t.Fatalf("%d rows: %q", len(rows)-1, rows)
	}
	text := strings.Join(rows[3], "|") + strings.Join(rows[5], "|")
	for _, want := range []string{"0.060 ms added, 0.090 ms in all", "40.0 MB resident", "30.0 MB", "~50 MB"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if none := orMissing(""); rows[1][2] != none || rows[4][2] != none {
		t.Errorf("what was not measured: %q, %q", rows[1], rows[4])
	}
	r.Versions[nodeName] = "1.0"
	for _, row := range publishedTable(&r) {
		if len(row) != 5 {
			t.Errorf("with theirs in the run: %q", row)
		}
	}
}

// TestPeerTable: each figure is compared with the peer that is best in it, of requests per second with the one that has most.
func TestPeerTable(t *testing.T) {
	c := exampleCase
	r := Report{Scenarios: []Scenario{{Name: "small", Cases: []Case{c}}}}
	rows := peerTable(&r)
	if len(rows) != 5 {
		t.Fatalf("%d rows: %q", len(rows)-1, rows)
	}
	if got := strings.Join(rows[1], "|"); got != "small, 50 connections|CPU us/request|9.0|nginx-1|10.0|0.80|0.60..0.90" {
		t.Error(got)
	}
}
