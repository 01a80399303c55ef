package main

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		line        string
		pid, parent int
		ok          bool
	}{
		{"17 (nginx) S 4 17 17 0 -1", 17, 4, true},
		{"18 (a (strange) name 9) R 17 1", 18, 17, true},
		{"19 (cut off", 0, 0, false},
		{"20 (nothing follows)", 0, 0, false},
		{"x (no number) S 1", 0, 1, false},
		{"", 0, 0, false},
	} {
		pid, parent, ok := parseStat([]byte(c.line))
		if ok != c.ok || ok && (pid != c.pid || parent != c.parent) {
			t.Errorf("%q: %d, %d, %v", c.line, pid, parent, ok)
		}
	}
}

func TestParseRollup(t *testing.T) {
	rollup := []byte("55d0-7ffe ---p 0 00:00 0  [rollup]\nRss:                1234 kB\nPss:  99 kB\n")
	for name, want := range map[string]int64{"Rss:": 1234 << 10, "Pss:": 99 << 10} {
		if got, ok := parseRollup(rollup, name); !ok || got != want {
			t.Errorf("%s got %d, %v", name, got, ok)
		}
	}
	if _, ok := parseRollup([]byte("Pss:  99 kB\n"), "Rss:"); ok {
		t.Error("found what is not there")
	}
}

// TestFamily: a child and its child are of the family, and a stranger is not.
func TestFamily(t *testing.T) {
	sh := exec.Command("sh", "-c", "exec 3<&0; cat <&3 & echo; wait")
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := sh.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	defer sh.Wait()
	defer in.Close()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	pids, err := family(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if pids[0] != os.Getpid() || !slices.Contains(pids, sh.Process.Pid) || len(pids) < 3 || slices.Contains(pids, os.Getppid()) {
		t.Errorf("the family of %d with the child %d: %v", os.Getpid(), sh.Process.Pid, pids)
	}
}

// TestCPUTime: work is seen on the clock.
func TestCPUTime(t *testing.T) {
	me := []int{os.Getpid()}
	before, err := cpuTime(me)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := threadTime()
	for threadTime()-own < 20*time.Millisecond {
	}
	after, err := cpuTime(me)
	if err != nil {
		t.Fatal(err)
	}
	if after-before < 10*time.Millisecond {
		t.Errorf("20 ms of work show as %v", after-before)
	}
	if _, err := cpuTime([]int{1 << 22}); err == nil {
		t.Error("a process that is not there has a clock")
	}
}

func TestResidentMemory(t *testing.T) {
	me := []int{os.Getpid()}
	debug.FreeOSMemory() // else the block takes what other tests have left
	before, err := memoryOf(me)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 32<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	after, err := memoryOf(me)
	if err != nil {
		t.Fatal(err)
	}
	if grown := after.resident - before.resident; grown < 16<<20 {
		t.Errorf("32 MB more show as %.0f", grown)
	}
	if grown := after.own - before.own; grown < 16<<20 || after.own >= after.resident {
		t.Errorf("32 MB more of its own show as %.0f; %.0f of %.0f", grown, after.own, after.resident)
	}
	runtime.KeepAlive(block)
}
