package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// benchstat compares samples. The version is fixed, so that the same figures get the same verdict tomorrow.
const benchstat = "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"

// judge prints what benchstat says of each benchmark, and of all together. benchstat gives no significance for a
// geometric mean of its own; so that of each round goes to it as if it were one more benchmark.
func (c *comparing) judge(ctx context.Context) error {
	each, err := c.files("each", func(s *side, round int) (string, error) { return s.rounds[round], nil })
	if err != nil {
		return err
	}
	table, err := c.stat(ctx, each...)
	if err != nil {
		return err
	}
	fmt.Println(table)
	times := make([][]map[string]float64, len(c.sides))
	for i, s := range c.sides {
		for _, output := range s.rounds {
			times[i] = append(times[i], timesOf(output))
		}
	}
	common := commonNames(slices.Concat(times...))
	if len(common) == 0 {
		return errors.New("the two sides have no benchmark in common")
	}
	all, err := c.files("all", func(s *side, round int) (string, error) {
		mean := geomeanOf(times[slices.Index(c.sides, s)][round], common)
		return fmt.Sprintf("BenchmarkAll 1 %f ns/op\n", mean), nil
	})
	if err != nil {
		return err
	}
	table, err = c.stat(ctx, append([]string{"-format", "csv"}, all...)...)
	if err != nil {
		return err
	}
	change, p, err := changeOfAll(table)
	if err != nil {
		return fmt.Errorf("%w in\n%s", err, table)
	}
	fmt.Printf("geometric mean of %s, per round: %+.2f%% (%s)\n", plural(len(common), "benchmark"), change, p)
	if change > c.tolerance {
		return fmt.Errorf("%w by %.2f%%, and %g%% are let pass", errSlower, change, c.tolerance)
	}
	return nil
}

// files writes the samples of each side into a file, and returns how benchstat is to be told of them.
func (c *comparing) files(kind string, samples func(s *side, round int) (string, error)) ([]string, error) {
	var named []string
	for _, s := range c.sides {
		var text strings.Builder
		for round := range s.rounds {
			sample, err := samples(s, round)
			if err != nil {
				return nil, err
			}
			text.WriteString(sample)
		}
		file := filepath.Join(c.dir, kind+"-"+s.name+".txt")
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			return nil, err
		}
		named = append(named, s.name+"="+file)
	}
	return named, nil
}

func (c *comparing) stat(ctx context.Context, args ...string) (string, error) {
	var complaints strings.Builder
	run := tool(ctx, "go", append([]string{"run", benchstat}, args...)...)
	run.Stderr = &complaints
	out, err := run.Output()
	if err != nil {
		err = fmt.Errorf("benchstat: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return string(out), err
}

// timesOf reads ns/op of each benchmark in an output of go test.
func timesOf(output string) map[string]float64 {
	times := map[string]float64{}
	folder := ""
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[0] == "pkg:" {
			folder = fields[1]
		}
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" {
			continue
		}
		if ns, err := strconv.ParseFloat(fields[2], 64); err == nil && ns > 0 {
			times[folder+"."+fields[0]] = ns
		}
	}
	return times
}

// commonNames are those of the benchmarks that were run in every round, in order.
func commonNames(rounds []map[string]float64) []string {
	var names []string
	for name := range rounds[0] {
		if !slices.ContainsFunc(rounds, func(r map[string]float64) bool { return r[name] == 0 }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func geomeanOf(times map[string]float64, names []string) float64 {
	sum := 0.0
	for _, name := range names {
		sum += math.Log(times[name])
	}
	return math.Exp(sum / float64(len(names)))
}

// changeOfAll reads in benchstat's CSV by how many percent all together are slower, 0 if that may be chance, and how
// probable it is.
func changeOfAll(table string) (percent float64, p string, err error) {
	reader := csv.NewReader(strings.NewReader(table))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		return 0, "", err
	}
	for _, row := range rows {
		if row[0] != "All" || len(row) < 7 {
			continue
		}
		if row[5] == "~" {
			return 0, "no significant change, " + row[6], nil
		}
		percent, err = strconv.ParseFloat(strings.TrimSuffix(row[5], "%"), 64)
		return percent, row[6], err
	}
	return 0, "", errors.New("benchstat says nothing of all")
}
