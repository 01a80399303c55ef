package engine

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dynapm/engine/config"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeConfigLoads holds the README's config to what the loader takes.
func TestReadmeConfigLoads(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no config")
	}
	for _, block := range blocks {
		file := filepath.Join(t.TempDir(), "dynapm.yaml")
		if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(file); err != nil {
			t.Errorf("a config of the README has faults:\n%v", err)
		}
	}
}

// Of the specification of the machine: the first word above a table is a state, and so is the second column within.
var (
	section = regexp.MustCompile(`^(stopped|starting|ready|draining|stopping|failed)\b`)
	change  = regexp.MustCompile(`^  (Stop hold|[A-Z]\w+) +(stopped|starting|ready|draining|stopping|failed) `)
)

// ours are the events of a restart or a panic of the engine.
var ours = []string{"Adopt", "Recall", "Panicked"}

// TestReadmeStatesAreTheMachines compares the README's diagram with the specification of the machine. What follows a
// restart or a panic of ours is not drawn.
func TestReadmeStatesAreTheMachines(t *testing.T) {
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+) --> (\w+):`).FindAllStringSubmatch(readme(t), -1) {
		drawn[m[1]+" to "+m[2]] = true
	}
	golden, err := os.ReadFile("../actors/testdata/transitions.txt")
	if err != nil {
		t.Fatal(err)
	}
	real := map[string]bool{}
	from := ""
	for _, line := range strings.Split(string(golden), "\n") {
		if head := section.FindStringSubmatch(line); head != nil {
			from = head[1]
			if strings.Contains(line, "found") {
				from = ""
			}
		} else if row := change.FindStringSubmatch(line); row != nil && from != "" && row[2] != from && !slices.Contains(ours, row[1]) {
			real[from+" to "+row[2]] = true
		}
	}
	for way := range real {
		if !drawn[way] {
			t.Errorf("the README does not draw %s", way)
		}
	}
	for way := range drawn {
		if !real[way] {
			t.Errorf("the README draws %s, which no event causes", way)
		}
	}
}
