package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// microMain runs the Go micro-benchmarks of the tree, and writes what they say in the form that benchstat reads.
func microMain(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("micro", flag.ContinueOnError)
	rounds := flags.Int("rounds", 6, "how often each benchmark is run")
	report := flags.String("report", "bench/report", "write micro.txt into this `DIRECTORY`")
	length := flags.String("benchtime", "200ms", "how long each is run, as for go test")
	if err := parseAll(flags, args); err != nil {
		return err
	}
	packages, err := benchmarkPackages(".")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*report, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(*report, "micro.txt"))
	if err != nil {
		return err
	}
	defer file.Close()
	run := tool(ctx, "go", append([]string{"test", "-p", "1", "-run", "^$", "-bench", ".", "-benchmem",
		"-benchtime", *length, "-count", strconv.Itoa(*rounds)}, packages...)...)
	run.Stdout, run.Stderr = io.MultiWriter(os.Stdout, file), os.Stderr
	err = run.Run()
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// parseAll parses a command line of flags and nothing else.
func parseAll(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return errors.Join(errUsage, err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: what is %q?", errUsage, flags.Arg(0))
	}
	return nil
}

// errUsage: the command line is wrong.
var errUsage = errors.New("usage")

// benchmarkPackages finds the packages of a tree that have benchmarks, as go test takes them.
func benchmarkPackages(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (name[0] == '.' || name == "testdata") {
			return filepath.SkipDir
		}
		if matched, _ := filepath.Match("*_test.go", d.Name()); !matched {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte("\nfunc Benchmark")) {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if at := "./" + filepath.ToSlash(folder); err == nil && !slices.Contains(found, at) {
			found = append(found, at)
		}
		return err
	})
	return found, err
}
