package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// many is the config of so many services; the test is skipped unless it was asked for.
func many(t *testing.T, services int) string {
	t.Helper()
	if os.Getenv("DYNAPM_MANY") == "" {
		t.Skip("DYNAPM_MANY is not set")
	}
	var text strings.Builder
	text.WriteString("services:\n")
	for n := range services {
		fmt.Fprintf(&text, "  s%d: {run: {{svc \"s%d\"}}, idleTimeout: never}\n", n, n)
	}
	return text.String()
}

// TestManyBack tells how soon after its start an engine of a thousand services, of which fifty run, has
// answered its first request, to one of these. It is for a quiet machine.
func TestManyBack(t *testing.T) {
	const services, running, rounds = 1000, 50, 11
	w := newWorld(t)
	e := w.start(many(t, services))
	pids := map[string]int{}
	for n := range running {
		name := fmt.Sprintf("s%d", n*services/running)
		pids[name] = e.ask(name, "/").Pid
	}
	var took, cpu []time.Duration
	for range rounds {
		e.kill()
		began := time.Now()
		e = w.launch(e.config)
		e.until("an answer", func() bool {
			r, err := e.try("GET", "s500", "/", nil)
			return err == nil && e.seen(r).Pid == pids["s500"]
		})
		took, cpu = append(took, time.Since(began)), append(cpu, cpuTime(t, e.cmd.Process.Pid))
		e.ready()
	}
	e.stayed(pids)
	slices.Sort(took)
	slices.Sort(cpu)
	t.Logf("first answer after %v (median of %d), at best %v, at worst %v; the engine had computed for %v by then",
		took[rounds/2], rounds, took[0], took[rounds-1], cpu[rounds/2])
}

// TestManyAsleep: ten thousand services that nobody asks for cost little memory, and one that is asked for comes up.
func TestManyAsleep(t *testing.T) {
	const services, bound = 10_000, 150 << 20
	w := newWorld(t)
	file := w.config(many(t, services))
	binary(t) // the time to build it is not the engine's
	began := time.Now()
	e := w.launch(file)
	e.ready()
	listened, before := time.Since(began), cpuTime(t, e.cmd.Process.Pid)
	const watched = 20 * time.Second
	<-time.After(watched) // what nobody asks for has no event to be waited for
	idle := cpuTime(t, e.cmd.Process.Pid) - before
	e.ask(fmt.Sprintf("s%d", services/2), "/")
	peak := peakMemory(t, e.cmd.Process.Pid)
	t.Logf("listened after %v, having computed for %v; computed for %v in %v of rest; %d MiB resident at most", listened, before, idle, watched, peak>>20)
	if peak > bound {
		t.Errorf("%d MiB resident, want at most %d", peak>>20, bound>>20)
	}
}
