package main

import "slices"

// Verdict is a figure of ours beside what it must be and what we want it to be.
type Verdict struct {
	What    string  `json:"what"`
	Against string  `json:"against,omitempty"` // the contender that it is a ratio to
	Unit    string  `json:"unit,omitempty"`    // "": a ratio
	Ours    spread  `json:"ours"`              // over the rounds
	Must    float64 `json:"must"`
	Goal    float64 `json:"goal,omitempty"` // 0: none beyond must
	AtLeast bool    `json:"atLeast,omitempty"`
	Missing bool    `json:"missing,omitempty"` // there is no figure: ours was not measured, or nobody to be compared with
	Wrong   bool    `json:"wrong,omitempty"`   // something of ours went wrong: it is not met, whatever the figure
	Met     bool    `json:"met"`
	GoalMet bool    `json:"goalMet"`
	// Disturbed: the machine had other work, so that the figure says less than its verdict.
	Disturbed bool `json:"disturbed,omitempty"`
}

// judge compares the median with what is wanted. What is missing is not met, and a ratio to nothing is missing: neither
// may pass for want of a figure.
func (v Verdict) judge() Verdict {
	holds := func(bound float64) bool {
		if v.AtLeast {
			return v.Ours.Median >= bound
		}
		return v.Ours.Median <= bound
	}
	if v.Missing || !v.Ours.finite() {
		v.Ours, v.Missing = spread{}, true
	}
	v.Met = !v.Missing && !v.Wrong && holds(v.Must)
	v.GoalMet = v.Met && (v.Goal == 0 || holds(v.Goal))
	return v
}

// has reports whether anybody of the kinds named was measured, whatever went wrong.
func (c Case) has(kinds ...string) bool {
	return slices.ContainsFunc(c.Series, func(s Series) bool { return slices.Contains(kinds, s.Kind) })
}

// disturbedBelow is by how much a gateway may seem to be quicker than the start without it, in ms: more is no merit of it.
const disturbedBelow = -1

// disturb marks what other work has disturbed: all of a scenario that began on a machine with more to do than it has
// cores, and what is below nothing.
func (s *Scenario) disturb(cores int) {
	for i := range s.Verdicts {
		v := &s.Verdicts[i]
		v.Disturbed = s.Load > float64(cores) || v.Unit == unitMs && v.Ours.Median < disturbedBelow
	}
}

const unitMs = " ms"

// against makes the verdict on a ratio to the best peer in a case. There is none if all peers are left out; if all that
// there are answer with errors it is missing.
func (c Case) against(v Verdict, of func(Sample) float64, kinds ...string) (Verdict, []float64, bool) {
	peer, sound := c.find(of, v.AtLeast, kinds...)
	if !sound && !c.has(kinds...) {
		return v, nil, false
	}
	ours := c.ours()
	each := ratios(ours.values(of), peer.values(of))
	v.Ours, v.Against = spreadOf(each), peer.Contender
	v.Missing, v.Wrong = len(each) == 0, ours.wrong() > 0
	return v.judge(), each, true
}

// absolute makes the verdict on a figure that stands for itself.
func (c Case) absolute(v Verdict, of func(Sample) float64) Verdict {
	ours := c.ours()
	v.Ours, v.Missing, v.Wrong = spreadOf(ours.values(of)), len(ours.Samples) == 0, ours.wrong() > 0
	return v.judge()
}
