package main

import (
	"math"
	"slices"
	"time"
)

// spread is the middle of some values, and how far they lie apart.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{median(values), slices.Min(values), slices.Max(values)}
}

func (s spread) finite() bool { return finite(s.Median) && finite(s.Min) && finite(s.Max) }

// median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios divides the values of two series round by round: what was slow for one in a round was slow for both.
func ratios(ours, theirs []float64) []float64 {
	n := min(len(ours), len(theirs))
	out := make([]float64, n)
	for i := range out {
		out[i] = ours[i] / theirs[i]
	}
	return out
}

// differences takes one series from another, round by round.
func differences(from, less []float64) []float64 {
	out := make([]float64, min(len(from), len(less)))
	for i := range out {
		out[i] = from[i] - less[i]
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// geomeans gives the geometric mean of each round over several series.
func geomeans(series [][]float64) []float64 {
	if len(series) == 0 {
		return nil
	}
	rounds := len(series[0])
	for _, s := range series {
		rounds = min(rounds, len(s))
	}
	out := make([]float64, rounds)
	for i := range out {
		sum := 0.0
		for _, s := range series {
			sum += math.Log(s[i])
		}
		out[i] = math.Exp(sum / float64(len(series)))
	}
	return out
}

// quantile of sorted values, by nearest rank; 0 if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// turns is the order of a round. In as many rounds as there are things in the list (or twice as many, if that is odd) each
// stands at each place equally often, and comes after each other one equally often: what one leaves behind, garbage to be
// collected, connections that close, is not always the same one's to bear. It is a Latin square of Williams.
func turns[T any](list []T, round int) []T {
	n := len(list)
	order := make([]T, n)
	for at := range order {
		place := (at + 1) / 2
		if at%2 == 0 {
			place = n - at/2
		}
		order[at] = list[(place+round)%n]
	}
	if n%2 == 1 && round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

func sortedTimes(times []time.Duration) []time.Duration { return slices.Sorted(slices.Values(times)) }
