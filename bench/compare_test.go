package main

import (
	"errors"
	"math"
	"slices"
	"testing"
)

const exampleOutput = `goos: linux
pkg: dynapm/netio
BenchmarkWheel-2   	 8451088	        20.00 ns/op	       0 B/op	       0 allocs/op
pkg: dynapm/actors
BenchmarkGate-2    	 8451088	         5.00 ns/op
BenchmarkBroken-2  	--- FAIL
PASS
`

func TestTimesOf(t *testing.T) {
	times := timesOf(exampleOutput)
	if len(times) != 2 || times["dynapm/netio.BenchmarkWheel-2"] != 20 || times["dynapm/actors.BenchmarkGate-2"] != 5 {
		t.Fatal(times)
	}
	names := commonNames([]map[string]float64{times, {"dynapm/actors.BenchmarkGate-2": 7, "new": 1}})
	if !slices.Equal(names, []string{"dynapm/actors.BenchmarkGate-2"}) {
		t.Error(names)
	}
	if mean := geomeanOf(times, commonNames([]map[string]float64{times})); math.Abs(mean-10) > 1e-9 {
		t.Errorf("the mean of 20 and 5 is %v", mean)
	}
}

// TestChangeOfAll reads what benchstat writes.
func TestChangeOfAll(t *testing.T) {
	head := ",base,,head,,,\n,sec/op,CI,sec/op,CI,vs base,P\n"
	for _, c := range []struct {
		row     string
		percent float64
		p       string
	}{
		{"All,1.0e-07,0%,1.2e-07,0%,+19.93%,p=0.002 n=6\n", 19.93, "p=0.002 n=6"},
		{"All,1.2e-07,0%,1.0e-07,0%,-16.62%,p=0.002 n=6\n", -16.62, "p=0.002 n=6"},
		{"All,1.0e-07,9%,1.2e-07,9%,~,p=0.310 n=6\n", 0, "no significant change, p=0.310 n=6"},
	} {
		percent, p, err := changeOfAll(head + c.row + "geomean,1.0e-07,,1.2e-07,,+50.00%,\n")
		if err != nil || percent != c.percent || p != c.p {
			t.Errorf("%s: %v, %q, %v", c.row, percent, p, err)
		}
	}
	if _, _, err := changeOfAll(head); err == nil {
		t.Error("a table without the row passes")
	}
}

// TestBenchmarkPackages: what the guard must see is found in the tree.
func TestBenchmarkPackages(t *testing.T) {
	packages, err := benchmarkPackages("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"./actors", "./netio", "./persist"} {
		if !slices.Contains(packages, want) {
			t.Errorf("no %s in %q", want, packages)
		}
	}
}

func TestCompareUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"-base", "main", "-rounds", "3"}, {"-base", "main", "more"}, {"-no-such"}} {
		if err := compareMain(t.Context(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
