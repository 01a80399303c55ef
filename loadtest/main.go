package loadtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// scenario is one way to ask. flags names those that it has beside -url, -host and -report, with their defaults.
type scenario struct {
	name, help string
	flags      map[string]any
	run        func(*run, context.Context) error
}

func scenarios() []scenario {
	closed := func(r *run, ctx context.Context) error { return r.measure(ctx, false) }
	open := func(r *run, ctx context.Context) error { return r.measure(ctx, true) }
	return []scenario{
		{"coldstart", "wake a service N times, and say where the time goes",
			map[string]any{"n": 20, "admin": "", "service": "", "idle": false}, (*run).coldstart},
		{"herd", "wake a service with many requests at once: each answered, one start",
			map[string]any{"n": 5, "c": 100, "admin": "", "service": "", "idle": false}, (*run).herd},
		{"latency", "one connection, one request after the other; with -compare: direct against through",
			map[string]any{"d": 10 * time.Second, "n": 0, "warmup": time.Second, "compare": ""}, closed},
		{"throughput", "as many requests as the server answers, from a fixed number of connections",
			map[string]any{"c": 50, "d": 10 * time.Second, "n": 0, "warmup": time.Second, "compare": ""}, closed},
		{"rate", "a constant rate, latency counted from when a request was due, so that a stall shows",
			map[string]any{"rate": 1000.0, "c": 100, "d": 10 * time.Second, "n": 0, "warmup": time.Second, "compare": ""}, open},
		{"mixed", "many hosts at a constant rate, some far more popular than others, so that services sleep and wake",
			map[string]any{"hosts": "", "rate": 100.0, "c": 100, "d": 2 * time.Minute, "n": 0, "admin": ""}, (*run).mixed},
		{"hold", "hold many streams of events, and measure how late the events come; a ws:// URL is a WebSocket",
			map[string]any{"c": 1000, "d": 30 * time.Second}, (*run).hold},
		{"soak", "a constant rate for hours, and whether the end is as the beginning was",
			map[string]any{"rate": 200.0, "c": 100, "d": time.Hour, "n": 0, "warmup": time.Second}, (*run).soak},
	}
}

// Main runs a scenario and returns its exit status: 0 measured, 1 it could not be or requests went wrong, 2 the
// command line was wrong. args are those after the word loadtest.
func Main(args []string) int {
	if len(args) == 0 {
		usage(os.Stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(os.Stdout)
		return exitDone
	}
	for _, s := range scenarios() {
		if s.name == args[0] {
			return s.main(args)
		}
	}
	fmt.Fprintf(os.Stderr, "dynapm loadtest: unknown scenario %q: `dynapm loadtest help` lists them\n", args[0])
	return exitUsage
}

func (s scenario) main(args []string) int {
	o, err := s.parse(args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintf(os.Stderr, "dynapm loadtest %s: %v\nusage: dynapm loadtest %[1]s -url URL [flags]; -help lists them\n", s.name, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := newRun(s, o, args)
	err = r.do(ctx, s)
	if err == nil {
		writeTable(os.Stdout, r.report)
		if o.dir != "" {
			err = writeFiles(o.dir, r.report)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "dynapm loadtest %s: %v\n", s.name, err)
		return exitFailed
	}
	if r.report.failed() {
		return exitFailed
	}
	return exitDone
}

func usage(w io.Writer) {
	fmt.Fprint(w, "dynapm loadtest: a client from outside, for any HTTP/1.1 gateway\n\n")
	for _, s := range scenarios() {
		fmt.Fprintf(w, "  dynapm loadtest %-10s %s\n", s.name, s.help)
	}
	fmt.Fprint(w, "\nEach wants -url URL; `dynapm loadtest SCENARIO -help` lists its flags. Errors are counted by kind, and make the\n"+
		"exit status 1. Ctrl-C ends a run and keeps what was measured.\n")
}

// parse reads the flags that the scenario has.
func (s scenario) parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet(s.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.url, "url", "", "what is asked, `http://HOST:PORT/PATH`")
	flags.StringVar(&o.host, "host", "", "the Host field, where it is not the URL's")
	flags.StringVar(&o.dir, "report", "", "write report.json, report.md and report.html into this `folder`")
	s.define(flags, &o)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Printf("usage: dynapm loadtest %s -url URL [flags]\n%s\n", s.name, s.help)
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, s.check(&o)
}

func (s scenario) define(flags *flag.FlagSet, o *options) {
	o.clients = 1
	for name, dflt := range s.flags {
		switch name {
		case "c":
			flags.IntVar(&o.clients, name, dflt.(int), "connections, each with one request at a time")
		case "n":
			what := "how many requests; 0: as many as fit into -d"
			if dflt != 0 {
				what = "how many times"
			}
			flags.Int64Var(&o.requests, name, int64(dflt.(int)), what)
		case "rate":
			flags.Float64Var(&o.rate, name, dflt.(float64), "requests a second")
		case "d":
			flags.DurationVar(&o.duration, name, dflt.(time.Duration), "how long; with -compare for both together; 0: until -n")
		case "warmup":
			flags.DurationVar(&o.warmup, name, dflt.(time.Duration), "how long to ask before it counts")
		case "compare":
			flags.StringVar(&o.compare, name, "", "a second `URL`, asked in turns with the first; prints ratios with a 95% confidence interval")
		case "admin":
			flags.StringVar(&o.admin, name, "", "the `URL` of the engine's admin API; the token is taken from $DYNAPM_TOKEN")
		case "service":
			flags.StringVar(&o.service, name, "", "the `NAME` of the service; without it the first label of the host")
		case "hosts":
			flags.StringVar(&o.hosts, name, "", "the `HOSTS` that are asked, such as a.localhost,s{1..200}.localhost")
		case "idle":
			flags.BoolVar(&o.idle, name, false, "wait until the service falls asleep by itself, in place of stopping it each time")
		}
	}
}

// check refuses what cannot be run.
func (s scenario) check(o *options) error {
	_, many := s.flags["hosts"]
	_, paced := s.flags["rate"]
	switch {
	case o.url == "":
		return errors.New("-url is missing")
	case many && o.hosts == "":
		return errors.New("-hosts is missing")
	case o.clients < 1 || o.clients > 100_000:
		return errors.New("-c must be between 1 and 100000")
	case paced && !(o.rate > 0 && o.rate <= 1e7):
		return errors.New("-rate must be more than 0 and at most 10000000")
	case o.requests < 0 || o.duration < 0 || o.warmup < 0:
		return errors.New("-n, -d and -warmup cannot be negative")
	case o.requests == 0 && o.duration == 0:
		return errors.New("there is no end: -n must be more than 0, or -d where the scenario has it")
	}
	return nil
}
