package loadtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var errNothing = errors.New("interrupted before anything was measured")

// options are the command line.
type options struct {
	url, host, compare string
	admin, service     string
	hosts              string // of mixed
	dir                string // of the report
	clients            int
	rate               float64
	duration, warmup   time.Duration
	requests           int64
	idle               bool
}

// run is one run of a scenario.
type run struct {
	options
	report   *Report
	varied   []string // hosts whose bodies cannot be compared
	meter    meter
	progress progress
}

func newRun(s scenario, o options, args []string) *run {
	return &run{options: o, progress: newProgress(s.name), report: &Report{
		Schema: Schema, Scenario: s.name, Command: "dynapm loadtest " + strings.Join(args, " "), Began: time.Now().UTC(), Machine: thisMachine(),
		Settings: Settings{Clients: o.clients, Rate: o.rate, Seconds: o.duration.Seconds(), Requests: o.requests, Warmup: o.warmup.Seconds()},
	}}
}

// do runs the scenario and completes the report. It is interrupted by ctx and then has what was measured until then.
func (r *run) do(ctx context.Context, s scenario) error {
	err := s.run(r, ctx)
	r.progress.clear()
	if err != nil {
		return err
	}
	r.tellVaried()
	r.report.Interrupted = ctx.Err() != nil
	r.report.Seconds = r.meter.elapsed.Seconds()
	r.report.Generator = r.meter.generator()
	return nil
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

func (r *run) urls() []string {
	if r.compare == "" {
		return []string{r.url}
	}
	return []string{r.url, r.compare}
}

func (r *run) pacer(open bool, b bound) pacer {
	if open {
		return constantRate{b, r.rate}
	}
	return closedLoop{b}
}

func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:])
	}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(data), "model name")
		line, _, _ := strings.Cut(rest, "\n")
		m.CPU = strings.TrimLeft(line, "\t :")
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(data))[:3], " ")
	}
	return m
}
