package main

import (
	"maps"
	"slices"
	"time"
)

// reportSchema is the version of the report's form in JSON. It changes when a program that reads it has to.
const reportSchema = 1

// Report is all that a run found out. It can be encoded as it is.
type Report struct {
	Schema     int               `json:"schema"`
	Date       time.Time         `json:"date"`
	Command    []string          `json:"command"`
	Machine    Machine           `json:"machine"`
	Versions   map[string]string `json:"versions"`
	LeftOut    []string          `json:"leftOut,omitempty"` // contenders that were not measured, and why
	Incomplete bool              `json:"incomplete"`        // a peer is left out or failed, or the run was broken off
	Whole      bool              `json:"whole,omitempty"`   // all scenarios were run in their size, to their end
	Part       []string          `json:"part,omitempty"`    // why it is not
	Scenarios  []Scenario        `json:"scenarios"`
}

// Machine is what the run was made on.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Load   float64 `json:"load"` // of the minute before
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
}

// Scenario is one thing that was done to all contenders, in one or more cases, and what has been shown by it.
type Scenario struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Load     float64   `json:"load,omitempty"` // of the minute before it
	Cases    []Case    `json:"cases"`
	Verdicts []Verdict `json:"verdicts"`
	Notes    []string  `json:"notes,omitempty"`
	Failed   []string  `json:"failed,omitempty"` // who could not be measured, or not in each round, and why
}

// Case is one setting, such as 50 connections.
type Case struct {
	Name   string   `json:"name"`
	Series []Series `json:"series"`
}

// Series are the samples of one contender, one a round.
type Series struct {
	Contender string   `json:"contender"`
	Kind      string   `json:"kind"`
	Samples   []Sample `json:"samples"`
}

// Sample is one measurement. What a scenario does not measure is zero.
type Sample struct {
	Work      float64        `json:"work"`          // what the cost is divided by: requests, gigabytes, connections, seconds
	CPU       time.Duration  `json:"cpu,omitempty"` // of the contender's processes
	Elapsed   time.Duration  `json:"elapsed,omitempty"`
	P50       time.Duration  `json:"p50,omitempty"` // latency of a request, or lateness of an event
	P99       time.Duration  `json:"p99,omitempty"`
	Worst     time.Duration  `json:"worst,omitempty"`
	Over50    time.Duration  `json:"over50,omitempty"` // of the differences to the same without anybody's help
	Over99    time.Duration  `json:"over99,omitempty"`
	Beyond99  time.Duration  `json:"beyond99,omitempty"`  // the difference of the 99th percentiles
	Keeper    time.Duration  `json:"keeper,omitempty"`    // CPU of the engine's keeper, where it is not in CPU
	Stop      time.Duration  `json:"stop,omitempty"`      // CPU of the gateway for putting it to sleep again
	Memory    float64        `json:"memory,omitempty"`    // growth of resident memory, in bytes
	Resident  float64        `json:"resident,omitempty"`  // memory in all, in bytes
	Own       float64        `json:"own,omitempty"`       // the same without programs, and with what processes share counted once
	Generator time.Duration  `json:"generator,omitempty"` // CPU of the load generator
	Errors    map[string]int `json:"errors,omitempty"`
}

// metric is a figure that is made of a sample.
type metric struct {
	title string
	of    func(Sample) float64
	scale string // a format for fmt
	wants wish
}

// wish is what is good of a figure.
type wish int

const (
	neither wish = iota // it explains another
	less
	more
)

func cpuPerWork(s Sample) float64     { return float64(s.CPU.Nanoseconds()) / 1e3 / s.Work } // us
func cpuMsPerWork(s Sample) float64   { return cpuPerWork(s) / 1e3 }
func workPerSecond(s Sample) float64  { return s.Work / s.Elapsed.Seconds() }
func p50(s Sample) float64            { return micros(s.P50) }
func p99(s Sample) float64            { return micros(s.P99) }
func p50Ms(s Sample) float64          { return micros(s.P50) / 1e3 }
func p99Ms(s Sample) float64          { return micros(s.P99) / 1e3 }
func worstMs(s Sample) float64        { return micros(s.Worst) / 1e3 }
func memoryPerWork(s Sample) float64  { return s.Memory / 1024 / s.Work } // KiB
func residentMB(s Sample) float64     { return s.Resident / (1 << 20) }
func ownMB(s Sample) float64          { return s.Own / (1 << 20) }
func coreShare(s Sample) float64      { return 100 * s.CPU.Seconds() / s.Elapsed.Seconds() }
func generatorShare(s Sample) float64 { return 100 * s.Generator.Seconds() / s.Elapsed.Seconds() }
func micros(d time.Duration) float64  { return float64(d.Nanoseconds()) / 1e3 }

func (s Series) values(of func(Sample) float64) []float64 {
	out := make([]float64, len(s.Samples))
	for i, sample := range s.Samples {
		out[i] = of(sample)
	}
	return out
}

func (s Series) middle(of func(Sample) float64) float64 { return spreadOf(s.values(of)).Median }

func (s Series) errors() map[string]int {
	sum := map[string]int{}
	for _, sample := range s.Samples {
		for kind, n := range sample.Errors {
			sum[kind] += n
		}
	}
	return sum
}

// wrong is how often something went wrong, in whichever way.
func (s Series) wrong() (sum int) {
	for _, n := range s.errors() {
		sum += n
	}
	return sum
}

// add keeps a sample with its contender's others.
func (c *Case) add(r running, sample Sample) {
	at := slices.IndexFunc(c.Series, func(s Series) bool { return s.Contender == r.contender.name })
	if at < 0 {
		at = len(c.Series)
		c.Series = append(c.Series, Series{Contender: r.contender.name, Kind: r.kind})
	}
	c.Series[at].Samples = append(c.Series[at].Samples, sample)
}

// arrange puts the series into the order of the contenders, whichever came first in the first round.
func (c *Case) arrange(order []running) {
	place := map[string]int{}
	for i, r := range order {
		place[r.contender.name] = i
	}
	slices.SortFunc(c.Series, func(a, b Series) int { return place[a.Contender] - place[b.Contender] })
}

// sound: hardly anything went wrong. Who answers with errors has less to do, and is nobody to be compared with.
func (s Series) sound() bool {
	work := 0.0
	for _, sample := range s.Samples {
		work += sample.Work
	}
	return float64(s.wrong()) <= work*soundShare
}

const soundShare = 0.01

// ours is what was measured of ours, whatever went wrong: none has no samples.
func (c Case) ours() Series {
	for _, s := range c.Series {
		if s.Kind == kindOurs {
			return s
		}
	}
	return Series{}
}

// find gives the series of the kinds named, of several the one with the least (or most, if more is better) middle value,
// and none in which too much went wrong.
func (c Case) find(of func(Sample) float64, more bool, kinds ...string) (best Series, ok bool) {
	for _, s := range c.Series {
		if !slices.Contains(kinds, s.Kind) || len(s.Samples) == 0 || !s.sound() {
			continue
		}
		if !ok || (s.middle(of) < best.middle(of)) != more {
			best, ok = s, true
		}
	}
	return best, ok
}

// met reports whether everything was measured and is as it must be.
func (r *Report) met() bool {
	for _, s := range r.Scenarios {
		if slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return !v.Met }) {
			return false
		}
	}
	return !r.Incomplete
}

// errorKinds lists the errors of a series, most frequent first.
func errorKinds(errors map[string]int) []string {
	return slices.SortedFunc(maps.Keys(errors), func(a, b string) int { return errors[b] - errors[a] })
}
