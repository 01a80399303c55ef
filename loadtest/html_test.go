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
