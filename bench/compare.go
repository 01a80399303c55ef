package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errSlower: the comparison has found that the tree is slower than its base.
var errSlower = errors.New("slower than the base")

// comparing is the comparison of the micro-benchmarks of a tree with those of another commit of it.
type comparing struct {
	root      string // of the tree
	base      string // the commit
	dir       string // for all that is built and measured
	report    string // the directory that keeps what was measured; "": none
	rounds    int
	length    string // of one benchmark
	skip      string
	tolerance float64 // percent
	sides     []*side // base, head
}

// side is one of the two, with what it has said so far.
type side struct {
	name     string
	root     string
	programs map[string]string // the test program of each package
	rounds   []string          // its output in each that was whole
}

// compareMain fails only where the benchmarks as a whole are slower beyond the tolerance, and that is no chance.
func compareMain(ctx context.Context, args []string) error {
	c := comparing{root: ".", tolerance: 5}
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.StringVar(&c.base, "base", "", "the `COMMIT` to compare with")
	flags.IntVar(&c.rounds, "rounds", 10, "how often each benchmark is run on each side")
	flags.StringVar(&c.length, "benchtime", "50ms", "how long each is run, as for go test")
	flags.StringVar(&c.skip, "skip", "Sync|Open|ThousandServices", "leave out benchmarks that match, such as those that wait for the disk")
	flags.StringVar(&c.report, "report", "bench/report", "write compare-base.txt and compare-head.txt into this `DIRECTORY`")
	if err := parseAll(flags, args); err != nil {
		return err
	}
	if c.base == "" {
		return fmt.Errorf("%w: -base is missing: the commit to compare with, such as main", errUsage)
	}
	if c.rounds < leastRounds {
		return fmt.Errorf("%w: fewer than %d rounds cannot show what is chance and what is not", errUsage, leastRounds)
	}
	return c.run(ctx)
}

// leastRounds: with fewer samples benchstat finds nothing significant.
const leastRounds = 4

func (c *comparing) run(ctx context.Context) error {
	var err error
	if c.dir, err = os.MkdirTemp("", "dynapm-compare-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	worktree := filepath.Join(c.dir, "tree")
	if _, err := c.git(ctx, "worktree", "add", "--detach", worktree, c.base); err != nil {
		return err
	}
	defer c.git(context.WithoutCancel(ctx), "worktree", "remove", "--force", worktree)
	c.sides = []*side{{name: "base", root: worktree}, {name: "head", root: c.root}}
	if err := c.build(ctx); err != nil {
		return err
	}
	if err := c.measure(ctx); err != nil {
		return c.brokenOff(ctx, err)
	}
	return errors.Join(c.keep(), c.judge(ctx))
}

// brokenOff makes what there is to make of the rounds that were whole when something went wrong. Nothing passes by it.
func (c *comparing) brokenOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errInterrupted
	}
	whole := len(c.sides[0].rounds)
	if whole == 0 {
		return err
	}
	fmt.Fprintf(os.Stderr, "compare: what follows is of %d of %d rounds\n", whole, c.rounds)
	return errors.Join(err, c.keep(), c.judge(context.WithoutCancel(ctx)))
}

// keep writes what was measured to where it stays, in the form that benchstat reads.
func (c *comparing) keep() error {
	if c.report == "" {
		return nil
	}
	if err := os.MkdirAll(c.report, 0o755); err != nil {
		return err
	}
	for _, s := range c.sides {
		if err := os.WriteFile(filepath.Join(c.report, "compare-"+s.name+".txt"), []byte(strings.Join(s.rounds, "")), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparing) git(ctx context.Context, args ...string) (string, error) {
	git := tool(ctx, "git", append([]string{"-C", c.root}, args...)...)
	out, err := git.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// build makes the test programs of the packages that have benchmarks on both sides.
func (c *comparing) build(ctx context.Context) error {
	for _, s := range c.sides {
		packages, err := benchmarkPackages(s.root)
		if err != nil {
			return err
		}
		s.programs = map[string]string{}
		for _, p := range packages {
			program, err := filepath.Abs(filepath.Join(c.dir, s.name+strings.ReplaceAll(p, "/", "-")+".test"))
			if err != nil {
				return err
			}
			build := tool(ctx, "go", "test", "-c", "-o", program, p)
			build.Dir = s.root
			if out, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: cannot build the benchmarks of %s: %w\n%s", s.name, p, err, out)
			}
			s.programs[p] = program
		}
	}
	for i, s := range c.sides {
		for _, p := range sortedKeys(s.programs) {
			if c.sides[1-i].programs[p] == "" {
				fmt.Fprintf(os.Stderr, "left out: only %s has benchmarks in %s\n", s.name, p)
				delete(s.programs, p)
			}
		}
	}
	return nil
}

// measure has each side run each package in each round; who comes first alternates, so that neither always has the
// warmer machine.
func (c *comparing) measure(ctx context.Context) error {
	for round := range c.rounds {
		fmt.Fprintf(os.Stderr, "compare: round %d of %d\n", round+1, c.rounds)
		said := map[*side]string{}
		for at, p := range sortedKeys(c.sides[0].programs) {
			for _, s := range turns(c.sides, round+at) {
				output, err := c.measureOne(ctx, s, p)
				if err != nil {
					return err
				}
				said[s] += output
			}
		}
		for _, s := range c.sides {
			s.rounds = append(s.rounds, said[s])
		}
	}
	return nil
}

func (c *comparing) measureOne(ctx context.Context, s *side, p string) (string, error) {
	args := []string{"-test.run", "^$", "-test.bench", ".", "-test.benchmem", "-test.benchtime", c.length}
	if c.skip != "" {
		args = append(args, "-test.skip", c.skip)
	}
	run := tool(ctx, s.programs[p], args...)
	run.Dir = filepath.Join(s.root, p)
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("%s, %s: %w\n%s", s.name, p, err, out)
	}
	return string(out), nil
}
