package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRun measures everything, in numbers that say nothing, with the engine as it is built from the tree and the proxies
// that need no package. Nothing of it may be left afterwards.
func TestRun(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	chosen, _, err := choose(allContenders(""), "dynapm,nethttp,fasthttp,direct", false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSite(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{s.backend.cmd.Process.Pid}
	for _, sc := range append(scenarios(), quickScenarios()...) {
		result, err := sc.run(context.Background(), s, chosen, options{rounds: 1, scale: 0.002, progress: io.Discard})
		if err != nil {
			t.Fatalf("%s: %v", sc.name, err)
		}
		checkResult(t, sc, result, chosen)
	}
	s.close()
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is still there", pid)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left, _ := family(os.Getpid()); len(left) > 1 {
		t.Errorf("processes left behind: %v", left[1:])
	}
}

// checkResult: every contender of the scenario has a sample in every case (no proxy at all only where that says
// something), without errors, and what is measured is more than nothing.
func checkResult(t *testing.T, sc scenario, result *Scenario, chosen []contender) {
	t.Helper()
	if len(result.Cases) == 0 {
		t.Errorf("%s: no cases", sc.name)
	}
	for _, c := range result.Cases {
		for _, contender := range chosen {
			if contender.kind == kindDirect || sc.takes != nil && !sc.takes(contender) {
				continue
			}
			name := contender.name
			found := false
			for _, s := range c.Series {
				if s.Contender != name {
					continue
				}
				found = len(s.Samples) == 1
				if len(s.errors()) > 0 {
					t.Errorf("%s, %s, %s: errors %v", sc.name, c.Name, name, s.errors())
				}
				if of := sc.columns[0].of; sc.name != "quiet" && sc.name != "idle" && sc.name != "sse" && s.middle(of) <= 0 {
					t.Errorf("%s, %s, %s: %v", sc.name, c.Name, name, s.middle(of))
				}
			}
			if !found {
				t.Errorf("%s, %s: %s was not measured", sc.name, c.Name, name)
			}
		}
	}
}

// TestInterrupted: a run that is broken off ends, and says so.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := openSite(ctx, os.Args[0]) // no engine is needed
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	chosen, _, err := choose(allContenders(""), "nethttp,direct", false)
	if err != nil {
		t.Fatal(err)
	}
	progress := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("round 1")) {
			cancel()
		}
	})
	if _, err := smallScenario.run(ctx, s, chosen, options{rounds: 100, scale: 1, progress: progress}); err != errInterrupted {
		t.Errorf("it ended with: %v", err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
