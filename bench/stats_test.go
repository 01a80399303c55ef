package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 2}, spread{2, 1, 9}},
		{[]float64{4, 1, 2, 9}, spread{3, 1, 9}},
		{nil, spread{}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("spread of %v: %v, want %v", c.values, got, c.want)
		}
	}
}

// TestRatiosArePaired: a round that was slow for both is no difference between them.
func TestRatiosArePaired(t *testing.T) {
	got := ratios([]float64{10, 30, 20}, []float64{20, 60, 40, 7})
	if want := []float64{0.5, 0.5, 0.5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGeomeans(t *testing.T) {
	got := geomeans([][]float64{{1, 8}, {4, 2}})
	if len(got) != 2 || math.Abs(got[0]-2) > 1e-9 || math.Abs(got[1]-4) > 1e-9 {
		t.Errorf("got %v, want 2 and 4", got)
	}
	if geomeans(nil) != nil {
		t.Error("there is a mean of nothing")
	}
}

func TestQuantile(t *testing.T) {
	sorted := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 5, 0.9: 9, 0.99: 10, 1: 10} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("there is a median of nothing")
	}
}

// TestTurns: each stands at each place as often as any other, and follows each other one as often.
func TestTurns(t *testing.T) {
	for n := 1; n <= 12; n++ {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		rounds := n * (1 + n%2)
		places, after := map[[2]int]int{}, map[[2]int]int{}
		for round := range rounds {
			order := turns(list, round)
			for place, who := range order {
				places[[2]int{place, who}]++
				if place > 0 {
					after[[2]int{order[place-1], who}]++
				}
			}
		}
		if len(places) != n*n || len(after) != n*(n-1) {
			t.Errorf("%d: %d of the places, %d of the neighbours", n, len(places), len(after))
		}
		for pair, times := range places {
			if times != rounds/n {
				t.Errorf("%d: place and who %v %d times", n, pair, times)
			}
		}
		for pair, times := range after {
			if times != rounds/n {
				t.Errorf("%d: %v after each other %d times", n, pair, times)
			}
		}
	}
	if got := turns([]int(nil), 3); len(got) != 0 {
		t.Error(got)
	}
}
