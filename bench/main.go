package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exit statuses, as dynapm's.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if os.Getenv(roleSwitch) != "" {
		fmt.Fprintln(os.Stderr, playRole(os.Args[1:]))
		os.Exit(exitFailed)
	}
	os.Exit(run(os.Args[1:]))
}

// command is the command line.
type command struct {
	options
	scenario   string
	only       string
	engine     string
	beside     string
	incomplete bool
	enforce    bool
	json       string
	quick      bool
	report     string
}

func parseCommand(args []string) (command, error) {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	c := command{options: options{progress: os.Stderr, live: err == nil}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&c.scenario, "scenario", "all", "what to measure: all, or some of "+scenarioNames())
	flags.IntVar(&c.rounds, "rounds", 7, "how often each measurement is made")
	flags.Float64Var(&c.scale, "scale", 1, "a factor for the numbers of requests, connections and bytes; below 1 is quicker and says less")
	flags.StringVar(&c.only, "only", "", "measure only these contenders, such as dynapm,nginx-1")
	flags.StringVar(&c.engine, "engine", "", "the dynapm `PROGRAM` to measure (default: built from the tree)")
	flags.StringVar(&c.beside, "beside", "", "another dynapm `PROGRAM`, measured in the same rounds")
	flags.BoolVar(&c.incomplete, "incomplete", false, "go on without contenders that are not installed")
	flags.BoolVar(&c.enforce, "enforce", false, "exit with 1 if something that must be met is not")
	flags.StringVar(&c.json, "json", "", "write all samples to this `FILE`")
	flags.BoolVar(&c.quick, "quick", false, "the short run: throughput and CPU at 50 connections, 20 cold starts")
	flags.StringVar(&c.report, "report", "", "write report.json and report.md into this `DIRECTORY`")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("what is %q?", flags.Arg(0))
	}
	if c.rounds < 1 || c.scale <= 0 {
		return c, errors.New("-rounds and -scale must be above 0")
	}
	return c, nil
}

// others are the commands beside the measuring of proxies.
var others = map[string]func(ctx context.Context, args []string) error{"micro": microMain, "compare": compareMain, "results": resultsMain}

func run(args []string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		cancel() // by which a second signal ends us at once
		fmt.Fprintln(os.Stderr, "\nbench: ending what was started; once more ends it at once")
	})()
	if len(args) > 0 && others[args[0]] != nil {
		return status(others[args[0]](ctx, args[1:]))
	}
	c, err := parseCommand(args)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	chosen, err := c.chosen(err)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitUsage
	}
	report, err := c.measure(ctx, chosen)
	if len(report.Scenarios) > 0 {
		err = errors.Join(err, c.publish(&report))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitFailed
	}
	if c.enforce && !report.met() {
		return exitFailed
	}
	return exitDone
}

// status says what went wrong, and is the exit status that tells it to a program.
func status(err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return exitFailed
}

// chosen are the scenarios that the command line asks for.
func (c command) chosen(err error) ([]scenario, error) {
	switch {
	case err != nil:
		return nil, err
	case c.quick && c.scenario != "all":
		return nil, errors.New("-quick has scenarios of its own, and -scenario cannot choose among them")
	case c.quick:
		return quickScenarios(), nil
	case c.scenario == "all":
		return scenarios(), nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(c.scenario, ",") {
		at := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no scenario %q: there are %s", name, scenarioNames())
		}
		chosen = append(chosen, scenarios()[at])
	}
	return chosen, nil
}

// measure runs the scenarios. The report has what was measured, also if that is not all.
func (c command) measure(ctx context.Context, chosen []scenario) (Report, error) {
	report := Report{Schema: reportSchema, Date: time.Now(), Command: asTyped(os.Args[1:]), Machine: thisMachine()}
	beside, err := absolute(c.beside)
	if err != nil {
		return report, err
	}
	all, missing := allContenders(beside), []string(nil)
	if c.quick {
		all = quickContenders(all)
	} else {
		all, missing = withOptional(all)
	}
	contenders, left, err := choose(all, c.only, c.incomplete)
	if err != nil {
		return report, err
	}
	report.Incomplete = len(left) > 0
	report.LeftOut = append(left, missing...)
	if c.engine == "" {
		fmt.Fprintln(c.progress, "building the engine")
	}
	s, err := openSite(ctx, c.engine)
	if err != nil {
		return report, err
	}
	defer s.close()
	report.Versions = versions(contenders, s.engine)
	report.Part = c.part(chosen)
	for _, sc := range chosen {
		result, err := sc.run(ctx, s, contenders, c.options)
		report.Scenarios = append(report.Scenarios, *result)
		report.Incomplete = report.Incomplete || len(result.Failed) > 0
		if err != nil {
			report.Incomplete, report.Part = true, append(report.Part, fmt.Sprintf("it ended in %s: %v", sc.name, err))
			return report, err
		}
	}
	report.Whole = len(report.Part) == 0
	return report, nil
}

// wholeRounds is how many make bench measures.
const wholeRounds = 4

// part is what makes a run less than a whole one of the tree, if it comes to its end. Who is not installed, or fails, does
// not: that is said in the report.
func (c command) part(chosen []scenario) (reasons []string) {
	for _, reason := range []struct {
		holds bool
		text  string
	}{
		{c.quick || len(chosen) < len(scenarios()), fmt.Sprintf("%d of %d scenarios", len(chosen), len(scenarios()))},
		{c.rounds < wholeRounds, plural(c.rounds, "round") + fmt.Sprintf(" in place of %d", wholeRounds)},
		{c.scale < 1, fmt.Sprintf("%g of the size of each measurement", c.scale)},
		{c.only != "", "contenders " + c.only},
		{c.engine != "", "an engine built elsewhere"},
		{c.beside != "", "another engine beside it"},
	} {
		if reason.holds {
			reasons = append(reasons, reason.text)
		}
	}
	return reasons
}

// asTyped is the command line as somebody types it who has the tree.
func asTyped(args []string) []string {
	var typed []string
	for _, name := range []string{nodeSwitch, sablierSwitch} {
		if value := os.Getenv(name); value != "" {
			typed = append(typed, name+"="+filepath.Base(value))
		}
	}
	return append(append(typed, "go", "run", "./bench"), args...)
}

// absolute gives the path of a program as it is from any directory; none stays none.
func absolute(program string) (string, error) {
	if program == "" {
		return "", nil
	}
	return filepath.Abs(program)
}

// publish prints a report, and writes it to the files that were asked for.
func (c command) publish(report *Report) error {
	printReport(os.Stdout, report)
	if c.report != "" {
		if err := writeReport(c.report, report); err != nil {
			return err
		}
		fmt.Fprintln(c.progress, "the report is in", c.report)
	}
	if c.json == "" {
		return nil
	}
	return writeJSON(c.json, report)
}
