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
	exitVoid   = 3
)

// scenario is one way to ask. flags names those that it has beside those that all have, with their defaults.
type scenario struct {
	name, help string
	flags      map[string]any
	run        func(*run, context.Context) error
}

func scenarios() []scenario {
	closed := func(r *run, ctx context.Context) error { return r.measure(ctx, false, r.prepare) }
	open := func(r *run, ctx context.Context) error { return r.measure(ctx, true, r.prepare) }
	return []scenario{
		{"coldstart", "wake a service N times, and say where the time goes",
			map[string]any{"n": 20, "admin": "", "service": "", "idle": false, "expect": ""}, (*run).coldstart},
		{"herd", "wake a service with many requests at once: each answered, one start",
			map[string]any{"n": 5, "c": 100, "admin": "", "service": "", "idle": false, "expect": ""}, (*run).herd},
		{"latency", "one connection, one request after the other; with -compare: direct against through",
			map[string]any{"d": 10 * time.Second, "n": 0, "warmup": time.Second, "expect": ""}, closed},
		{"throughput", "as many requests as the server answers, from a fixed number of connections",
			map[string]any{"c": 50, "d": 10 * time.Second, "n": 0, "warmup": time.Second, "expect": ""}, closed},
		{"rate", "a constant rate, latency counted from when a request was due, so that a stall shows",
			map[string]any{"rate": 1000.0, "c": 100, "d": 10 * time.Second, "n": 0, "warmup": time.Second, "expect": ""}, open},
		{"mixed", "many hosts at a constant rate, some far more popular than others, so that services sleep and wake",
			map[string]any{"hosts": "", "rate": 100.0, "c": 100, "d": 2 * time.Minute, "n": 0, "admin": "", "expect": ""}, (*run).mixed},
		{"hold", "hold many streams of events, and measure how late the events come; a ws:// or wss:// URL is a WebSocket",
			map[string]any{"c": 1000, "d": 30 * time.Second}, (*run).hold},
		{"soak", "a constant rate for hours, and whether the end is as the beginning was",
			map[string]any{"rate": 200.0, "c": 100, "d": time.Hour, "n": 0, "warmup": time.Second, "expect": ""}, (*run).soak},
	}
}

// Main runs a scenario and returns its exit status: 0 measured, 1 it could not be or requests went wrong, 2 the
// command line was wrong, 3 all went well but the run is void. args are those after the word loadtest.
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
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	r := newRun(s, o, args)
	if o.dir != "" {
		err = os.MkdirAll(o.dir, 0o755) // not after an hour
	}
	if err == nil {
		err = r.do(ctx, s)
	}
	// What was measured before something went wrong is kept too.
	if len(r.report.Results) > 0 {
		writeTable(os.Stdout, r.report)
		if o.dir != "" {
			err = errors.Join(err, writeFiles(o.dir, r.report))
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "dynapm loadtest %s: %v\n", s.name, err)
		return exitFailed
	}
	return r.report.exit()
}

// exit is the exit status of a run that came to its end, or was interrupted on the way. Errors go before a void run:
// they are the server's, whatever the generator took.
func (r *Report) exit() int {
	switch {
	case r.failed():
		return exitFailed
	case r.Generator.Void:
		return exitVoid
	}
	return exitDone
}

func usage(w io.Writer) {
	fmt.Fprint(w, "dynapm loadtest: a client from outside, for any HTTP/1.1 gateway\n\n")
	for _, s := range scenarios() {
		fmt.Fprintf(w, "  dynapm loadtest %-10s %s\n", s.name, s.help)
	}
	fmt.Fprint(w, "\nEach wants -url URL; -compare URL measures a second one beside it; `dynapm loadtest SCENARIO -help` lists the flags.\n"+
		"Errors are counted by kind. Ctrl-C ends a run and keeps what was measured.\n"+
		"Exit status: 0 measured, 1 it could not be or requests went wrong, 2 the command line is wrong, 3 the run is void,\n"+
		"as the generator itself was the bottleneck.\n")
}
