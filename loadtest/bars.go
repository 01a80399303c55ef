package loadtest

import (
	"fmt"
	"time"
)

const (
	barHeight, barStep, barsBesides = 11.0, 15.0, 22.0
	mostBars                        = 40
)

// bars are cold starts, each a bar whose parts are its steps.
type bars struct {
	Title                 string
	Width, Height, Bottom float64
	Bar                   float64 // the height of one
	Rows                  []barRow
	Ticks                 []tick
	Left                  float64
	Names                 []string
	Missing               int // that are not drawn
}

type barRow struct {
	Label, Total string
	Y, End       float64
	Parts        []barPart
}

type barPart struct {
	X, Width float64
	Class    string
	Title    string
}

func coldBars(r *Report, t Result) bars {
	known := knownStarts(t)
	b := bars{Title: titled("Each cold start", r, t), Width: plotWidth, Bar: barHeight, Left: 30, Missing: max(len(known)-mostBars, 0)}
	known = known[:min(len(known), mostBars)]
	b.Bottom = barStep*float64(len(known)) + 4
	b.Height = b.Bottom + barsBesides
	most := 0.0
	for _, t := range r.Results { // of one scale, so that two can be compared by eye
		for i, c := range knownStarts(t) {
			if i < mostBars {
				most = max(most, c.Total)
			}
		}
	}
	x := scale{b.Left, plotWidth - 52, 0, most} // the rest is for the totals
	step := tidyStep(most / 4)
	for v := 0.0; v <= most; v += step {
		b.Ticks = append(b.Ticks, tick{x.at(v), tickTime(v)})
	}
	for _, s := range coldSteps {
		b.Names = append(b.Names, s.name)
	}
	for i, c := range known {
		row := barRow{Label: fmt.Sprint(i + 1), Total: ms(c.Total), Y: 2 + barStep*float64(i)}
		at := 0.0
		for n, s := range coldSteps {
			from, to := x.at(at), x.at(at+s.of(c))
			at += s.of(c)
			row.Parts = append(row.Parts, barPart{from, to - from, fmt.Sprintf("s%d", n), s.name + " " + ms(s.of(c))})
			row.End = to + 4
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

func tickTime(v float64) string {
	if v == 0 {
		return "0"
	}
	return time.Duration(v * float64(time.Millisecond)).String()
}
