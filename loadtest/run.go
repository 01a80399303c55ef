package loadtest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
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
	hosts              string         // of mixed
	dir                string         // of the report
	expect             *body          // of every reply; nil: what was answered beforehand
	roots              *x509.CertPool // nil: the machine's
	insecure           bool
	clients            int
	rate               float64
	duration, warmup   time.Duration
	requests           int64
	idle               bool
}

// remark is something to know of what hosts answer, told once for all of them.
type remark struct {
	what  string
	hosts []string
}

// run is one run of a scenario.
type run struct {
	options
	report   *Report
	patience time.Duration // how long anything may take before it counts as an error
	admins   *http.Client
	remarks  []remark
	learned  int64 // bytes of bodies that are kept, to compare
	meter    meter
	progress progress
}

func newRun(s scenario, o options, args []string) *run {
	return &run{options: o, patience: defaultPatience, admins: adminClient(o), progress: newProgress(s.name), report: &Report{
		Schema: Schema, Scenario: s.name, Command: "dynapm loadtest " + strings.Join(each(args, quoted), " "), Began: time.Now().UTC(), Machine: thisMachine(),
		Settings: Settings{Clients: o.clients, Rate: o.rate, Seconds: o.duration.Seconds(), Requests: o.requests, Warmup: o.warmup.Seconds()},
	}}
}

// do runs the scenario and completes the report. It is interrupted by ctx and then has what was measured until then; so
// it has if something goes wrong on the way.
func (r *run) do(ctx context.Context, s scenario) error {
	err := s.run(r, ctx)
	r.progress.clear()
	if err != nil && len(r.report.Results) > 0 {
		r.note("it ended early: %v", err)
	}
	for _, m := range r.remarks {
		r.note("%s: %s", manyHosts(m.hosts), m.what)
	}
	r.report.Interrupted = ctx.Err() != nil
	r.report.Seconds = r.meter.elapsed.Seconds()
	r.report.Generator = r.meter.generator()
	r.report.RatioDoubts = r.report.doubts()
	return err
}

func (r *run) remark(host, what string) {
	for i := range r.remarks {
		if r.remarks[i].what == what {
			r.remarks[i].hosts = append(r.remarks[i].hosts, host)
			return
		}
	}
	r.remarks = append(r.remarks, remark{what, []string{host}})
}

func manyHosts(hosts []string) string {
	if len(hosts) == 1 {
		return hosts[0]
	}
	return fmt.Sprintf("%s and %d more", hosts[0], len(hosts)-1)
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

// target is the first or, with -compare, the second.
func (r *run) target(n int) (*target, error) { return r.targetOf(r.urls()[n], n) }

func (r *run) targetOf(url string, n int) (*target, error) {
	t, err := newTarget(url, one(r.host, n))
	if err == nil && t.tls != nil {
		t.tls.RootCAs, t.tls.InsecureSkipVerify = r.roots, r.insecure
	}
	return t, err
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
