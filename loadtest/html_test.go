package loadtest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPageStandsAlone: the page loads nothing, and what servers say in it stays text.
func TestPageStandsAlone(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Command = `dynapm loadtest latency -host "<script>alert(1)</script>"`
	out, err := html(r)
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	if found := regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|<script|<link`).FindString(text); found != "" {
		t.Errorf("the page has %q", found)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "@media print", `name="viewport"`, "status 503 | &lt;b&gt;", "1.500", "28.0 ms", "3 errors at"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// TestPageDrawings: each drawing is well-formed, and what it draws lies within it.
func TestPageDrawings(t *testing.T) {
	t.Parallel()
	r := sample()
	for _, p := range []plot{curvePlot(r), timePlot(r)} {
		if len(p.XTicks) < 3 || len(p.YTicks) < 2 {
			t.Errorf("%s: ticks %v and %v", p.Title, p.XTicks, p.YTicks)
		}
	}
	out, err := html(r)
	if err != nil {
		t.Fatal(err)
	}
	drawings := regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAll(out, -1)
	if lines := bytes.Count(out, []byte("<polyline")); lines < 6 || len(drawings) < 3 {
		t.Errorf("%d drawings with %d lines; want two curves, four series and the bars", len(drawings), lines)
	}
	for _, d := range drawings {
		decoder := xml.NewDecoder(bytes.NewReader(d))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, d)
			}
			if start, ok := token.(xml.StartElement); ok {
				for _, a := range start.Attr {
					if a.Value == "NaN" || strings.Contains(a.Value, "Inf") || strings.HasPrefix(a.Value, "-") && a.Name.Local != "class" {
						t.Errorf("<%s %s=%q>", start.Name.Local, a.Name.Local, a.Value)
					}
				}
			}
		}
	}
}

// TestPageWithoutAnAnswer: a run in which nothing was answered has a report too.
func TestPageWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := &Report{Scenario: "rate", Results: []Result{{URL: "http://x/", Failed: 3, Errors: map[string]int64{"status 503": 3}, Series: []Point{{At: 1, Errors: 3}}}}}
	dir := t.TempDir()
	if err := writeFiles(dir, r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || bytes.Contains(text, []byte("NaN")) || !bytes.Contains(text, []byte("status 503")) {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestFailedRoundIsMarked: a cold start that failed shows in the drawing too, where there is one request in a step.
func TestFailedRoundIsMarked(t *testing.T) {
	t.Parallel()
	r := &Report{Results: []Result{{URL: "http://x/", Series: []Point{{At: 1, Requests: 1, Max: 50}, {At: 2, Errors: 1}, {At: 3, Requests: 1, Max: 60}}}}}
	p := timePlot(r)
	if len(p.Marks) != 1 || p.Marks[0].Label != "1 errors at 2.0 s" || len(p.Lines) != 1 || len(p.Lines[0].Parts) != 2 {
		t.Errorf("marks %+v, lines %+v", p.Marks, p.Lines)
	}
}

// TestBarsHaveOneScale: the cold starts of two targets can be compared by eye.
func TestBarsHaveOneScale(t *testing.T) {
	t.Parallel()
	cold := func(ms float64) []Cold { return []Cold{{Known: true, Total: ms, Launch: ms}} }
	r := &Report{Results: []Result{{URL: "http://x/", ColdStarts: cold(50)}, {URL: "http://y/", ColdStarts: cold(100)}}}
	one, two := coldBars(r, r.Results[0]), coldBars(r, r.Results[1])
	if a, b := one.Rows[0].Parts[0].Width, two.Rows[0].Parts[0].Width; a < 10 || b < 1.99*a || b > 2.01*a {
		t.Errorf("50 ms are %.1f wide, 100 ms %.1f", a, b)
	}
	page, err := html(r)
	if err != nil || !bytes.Contains(page, []byte("Each cold start of http://x/")) {
		t.Errorf("%v: the page does not name whose cold starts they are", err)
	}
}
